"""`watermark forgery`: the tests F1 to F6, or with --costs the price of every attack without the key.

Every answer is a count with an interval; both stand side by side in forgery.json and in a section of the report.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watermark.cli.remeasure import OWN_CONFIG
from watermark.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from watermark.data.images import ImageSet
    from watermark.evaluation.forgery_tests import Outcome
    from watermark.watermarker import Watermarker

    Markers = Iterator[tuple[str, Watermarker, Watermarker]]

DEFAULT_SCHEMES = ["dwt_dct", "dwt_dct_svd", "tile_spread"]
TARGETS = 24
FORMAT = 3
ATTACKERS = ("plain", "one", "many", "box", "asks", "walks")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "forgery", help="try to forge, remove and transplant our own marks", description=__doc__
    )
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        metavar="DIR",
        help="photographs, the more the more can be averaged; default: those of --run",
    )
    parser.add_argument(
        "--run", type=Path, dest="run_dir", metavar="RUN_DIR", help="test its schemes and put the answers in its report"
    )
    parser.add_argument("--schemes", nargs="+", help=f"names (default: those of --run, else {DEFAULT_SCHEMES})")
    parser.add_argument("--target-psnr", type=float, help="dB, of every scheme (default: as in --run, else 42)")
    parser.add_argument("--images", type=int, default=200, help="pictures used at most (default: %(default)s)")
    parser.add_argument(
        "--targets", type=int, help=f"pictures that each test tries (default: {TARGETS}, at most half of them)"
    )
    parser.add_argument("--side", type=int, default=256, help="px, of the central squares (default: %(default)s)")
    parser.add_argument(
        "--surrogate-steps",
        type=int,
        default=200,
        help="that a black-box attacker's own detector is trained for; 0 leaves him out (default: %(default)s)",
    )
    parser.add_argument(
        "--costs",
        action="store_true",
        help="what every attack without the key costs in damage, instead of F1 to F6; takes hours on many pictures",
    )
    parser.add_argument(
        "--attackers",
        nargs="+",
        choices=ATTACKERS,
        default=ATTACKERS,
        help="with --costs: only who has nothing in particular (the yardstick), one picture, many pictures, "
        "the scheme, or a detector that answers with its evidence, or with yes or no (default: all)",
    )
    parser.add_argument(
        "--queries",
        type=int,
        default=1000,
        help="with --costs: that a black-box attacker may ask per picture; 0 leaves him out (default: %(default)s)",
    )
    parser.add_argument(
        "--query-psnr",
        type=float,
        help="with --costs: dB, the least PSNR that the changes of a black-box attacker who climbs keep "
        "(default: several in turn)",
    )
    parser.add_argument("--output", type=Path, help="folder for forgery.json and forgery.md")
    parser.add_argument("--config-dir", type=Path, action="append", default=[], metavar="DIR", help=OWN_CONFIG)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every answer; write them where ``--output`` and ``--run`` say."""
    from rich.console import Console

    config = _run_config(args) if args.run_dir else None
    pictures = _pictures(args, config)
    images = _squares(pictures, args.images, args.side)
    for note in pictures.notes:
        print(f"note: {note}", file=sys.stderr)
    targets = min(TARGETS, len(images) // 2) if args.targets is None else args.targets
    if not 0 < targets < len(images):
        raise UserError(f"--targets: expected 1 to {len(images) - 1} (the rest is averaged), got {targets}")
    if args.query_psnr is not None and not 0 < args.query_psnr <= 99:
        raise UserError(f"--query-psnr: expected above 0 and at most 99 dB, got {args.query_psnr:g}")
    console = Console()
    say = partial(console.print, highlight=False, soft_wrap=True)
    measured = _measure_costs if args.costs else _ask
    for content in measured(args, _markers(args, config), images, targets, say):
        for folder in filter(None, (args.output, args.run_dir)):
            _merge(folder, content)  # who stops it keeps what was measured
    if args.run_dir:
        from watermark.report import build_report

        say(f"Report: {build_report(args.run_dir)}")
    return 0


def _ask(
    args: argparse.Namespace, markers: "Markers", images: "Tensor", targets: int, say: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """F1 to F6; all answers so far, after each scheme."""
    from watermark.evaluation.forgery_tests import ForgeryTests

    answers = []
    for name, owner, rival in markers:
        tests = ForgeryTests(name, owner, rival, images, targets, surrogate_steps=args.surrogate_steps)
        for answer in tests.run():
            answers.append(asdict(answer))
            say(_line(answer))
        yield _facts(args, images, targets) | {"answers": answers}


def _measure_costs(
    args: argparse.Namespace, markers: "Markers", images: "Tensor", targets: int, say: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """The price of every attack without the key; all prices so far, after each attack (or picture, where it asks)."""
    from watermark.evaluation.attack_costs import AttackCost, AttackCostTests

    costs: list[AttackCost] = []
    for name, owner, rival in markers:
        tests = AttackCostTests(
            name,
            owner,
            rival,
            images[:-targets],
            images[-targets:],
            queries=args.queries,
            surrogate_steps=args.surrogate_steps,
            query_psnr=None if args.query_psnr is None else [args.query_psnr],
        )
        for cost in tests.run(args.attackers):
            if costs and costs[-1].same_attack(cost):
                costs.pop()  # it is known of more pictures now
            costs.append(cost)
            rows = [asdict(one) | {"half": None if one.half is None else asdict(one.half)} for one in costs]
            say(f"{cost.scheme}  {cost.attack} ({cost.knows}): {_price(rows[-1])}")
            yield {"costs": {"facts": _facts(args, images, targets), "rows": rows}}


def _price(cost: dict[str, Any]) -> str:
    """The least damage for half of the wins, or the most that he had."""
    if cost["half"] is not None:
        half = cost["half"]
        return f"{cost['wants']} at {half['psnr']:.1f} dB ({half['wins']}/{half['n']})"
    best = max(cost["rungs"], key=lambda rung: (rung["wins"], rung["psnr"]))
    worst = min(rung["psnr"] for rung in cost["rungs"])
    return f"{cost['wants']} in {best['wins']}/{best['n']} at most, down to {worst:.1f} dB"


def _merge(folder: Path, content: dict[str, Any]) -> None:
    """Write the answers or the costs beside what the other call left there."""
    from watermark.evaluation.parts import write_text
    from watermark.report.sections.security import read

    path = folder / "forgery.json"
    merged = {"format": FORMAT, "answers": [], **(read(path) if path.is_file() else {}), **content}
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(merged, indent=1) + "\n")
    write_text(folder / "forgery.md", _table(merged["answers"]) + _cost_table(merged.get("costs")))


def _run_config(args: argparse.Namespace) -> dict[str, Any]:
    """What a run was configured as, if this machine's configuration names it."""
    from watermark.evaluation.manifest import read_manifest
    from watermark.evaluation.rebuild import trusted

    return trusted(read_manifest(args.run_dir)["config"], args.config_dir, args.folder)


def _pictures(args: argparse.Namespace, config: dict[str, Any] | None) -> "ImageSet":
    from watermark.config import build
    from watermark.data.folder import FolderImages

    if args.folder is not None:
        return FolderImages(str(args.folder), limit=args.images)
    if config is None:
        raise UserError("expected a folder of photographs, or --run RUN_DIR to take those of a run")
    return build(config["data"])


def _markers(
    args: argparse.Namespace, config: dict[str, Any] | None
) -> "Iterator[tuple[str, Watermarker, Watermarker]]":
    """Each scheme twice: with the owner's key and with another provider's."""
    from watermark.evaluation.job import is_outside
    from watermark.evaluation.rebuild import marker
    from watermark.watermarker import Watermarker

    if config is None:
        psnr = 42.0 if args.target_psnr is None else args.target_psnr
        for name in args.schemes or DEFAULT_SCHEMES:
            try:
                owner, rival = (Watermarker.load(name, key=key, target_psnr=psnr) for key in ("owner", "rival"))
            except ValueError as error:
                raise UserError(str(error)) from None
            yield name, owner, rival
        return
    ours = [name for name, entry in config["schemes"].items() if not is_outside(entry)]
    for name in args.schemes or ours:
        changes: dict[str, Any] = {}
        if args.target_psnr is not None:
            changes = {"target_psnr": args.target_psnr}
            changes |= {"step": None} if "step" in config["schemes"].get(name, {}) else {}
        owner, rival = (marker(config, name, key, **changes) for key in ("owner", "rival"))
        yield name, owner, rival


def _squares(pictures: "ImageSet", count: int, side: int) -> "Tensor":
    """``(N, 3, side, side)``: the central squares of the pictures that are large enough."""
    import torch

    fit = [i for i, info in enumerate(pictures.infos) if min(info.width, info.height) >= side][:count]
    if len(fit) < 2:
        raise UserError(f"--side: expected two pictures or more of at least {side} px a side, found {len(fit)}")
    squares = []
    for index in fit:
        picture = pictures.load(index)
        top, left = ((n - side) // 2 for n in picture.shape[-2:])
        squares.append(picture[..., top : top + side, left : left + side])
    return torch.cat(squares)


def _facts(args: argparse.Namespace, images: "Tensor", targets: int) -> dict[str, Any]:
    """What a stranger needs to count again."""
    from watermark.evaluation.provenance import git_state

    words = ["watermark", "forgery"]
    if args.folder is not None:
        words.append("PHOTOS")  # a path says nothing to others
    for name in ("schemes", "target_psnr", "targets"):
        if (value := getattr(args, name)) is not None:
            words += [f"--{name.replace('_', '-')}", *([str(value)] if name != "schemes" else value)]
    words += ["--images", str(args.images), "--side", str(args.side)]
    words += ["--surrogate-steps", str(args.surrogate_steps)]
    if args.costs:
        words += ["--costs", "--attackers", *args.attackers, "--queries", str(args.queries)]
        words += [] if args.query_psnr is None else ["--query-psnr", f"{args.query_psnr:g}"]
    return {
        "format": FORMAT,
        "command": shlex.join(words + (["--run", "RUN_DIR"] if args.run_dir else [])),
        "pictures": len(images),
        "targets": targets,
        "side": args.side,
        "git": git_state(),
    }


def _line(answer: "Outcome") -> str:
    rate = f"{answer.wins}/{answer.n} [{100 * answer.low:.0f} to {100 * answer.high:.0f} %]"
    cost = "" if answer.psnr is None else f", {answer.psnr:.1f} dB"
    return f"{answer.scheme}  {answer.test}  {answer.setting}: {answer.attacker_wants} {rate}{cost}"


def _table(answers: list[dict[str, Any]]) -> str:
    if not answers:
        return ""
    lines = [
        "| scheme | test | what is done | the attacker wants | wins | 95 % interval | PSNR, dB |",
        "|---|---|---|---|---|---|---|",
    ]
    for a in answers:
        cost = "-" if a["psnr"] is None else f"{a['psnr']:.1f}"
        interval = f"{100 * a['low']:.0f} to {100 * a['high']:.0f} %"
        named = (a["scheme"], a["test"], a["setting"], a["attacker_wants"])
        lines.append(f"| {' | '.join((*named, '{wins}/{n}'.format(**a), interval, cost))} |")
    return "\n".join(lines) + "\n"


def _cost_table(costs: dict[str, Any] | None) -> str:
    if costs is None:
        return ""
    lines = [
        "| scheme | attack | he has | what half of it costs him | wins at each PSNR, dB |",
        "|---|---|---|---|---|",
    ]
    for cost in costs["rows"]:
        rungs = ", ".join(f"{r['wins']}/{r['n']} at {r['psnr']:.1f}" for r in cost["rungs"])
        lines.append(f"| {cost['scheme']} | {cost['attack']} | {cost['knows']} | {_price(cost)} | {rungs} |")
    return "\n".join(lines) + "\n"
