"""`watermark forgery`: the tests F1 to F6 on pictures of your own; every answer is a count with an interval."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from watermark.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from watermark.evaluation.forgery import Answer

DEFAULT_SCHEMES = ["dwt_dct", "dwt_dct_svd", "tile_spread"]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "forgery", help="try to forge, remove and transplant our own marks", description=__doc__
    )
    parser.add_argument("folder", type=Path, help="photographs; the more, the more can be averaged")
    parser.add_argument("--schemes", nargs="+", default=DEFAULT_SCHEMES, help="names (default: %(default)s)")
    parser.add_argument("--target-psnr", type=float, default=42.0, help="dB, of every scheme (default: %(default)s)")
    parser.add_argument("--images", type=int, default=200, help="pictures used at most (default: %(default)s)")
    parser.add_argument("--targets", type=int, default=24, help="pictures that each test tries (default: %(default)s)")
    parser.add_argument("--side", type=int, default=256, help="px, of the central squares (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="folder for forgery.json and forgery.md")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every answer; write them where ``--output`` says."""
    from rich.console import Console

    from watermark.evaluation.forgery import ForgeryTests
    from watermark.watermarker import Watermarker

    images = _squares(args.folder, args.images, args.side)
    console, answers = Console(), []
    for name in args.schemes:
        try:
            owner, rival = (Watermarker.load(name, key=key, target_psnr=args.target_psnr) for key in ("owner", "rival"))
            tests = ForgeryTests(name, owner, rival, images, args.targets)
        except ValueError as error:
            raise UserError(str(error)) from None
        for answer in tests.run():
            answers.append(answer)
            console.print(_line(answer), highlight=False, soft_wrap=True)
    if args.output:
        args.output.mkdir(parents=True, exist_ok=True)
        (args.output / "forgery.json").write_text(json.dumps([asdict(a) for a in answers], indent=1) + "\n")
        (args.output / "forgery.md").write_text(_table(answers))
    return 0


def _squares(folder: Path, count: int, side: int) -> "Tensor":
    """``(N, 3, side, side)``: the central squares of the pictures that are large enough."""
    import torch

    from watermark.data.folder import FolderImages

    pictures = FolderImages(str(folder), limit=count)
    fit = [i for i, info in enumerate(pictures.infos) if min(info.width, info.height) >= side]
    if not fit:
        raise UserError(f"--side: expected pictures of at least {side} px a side below {folder}, found none")
    squares = []
    for index in fit:
        picture = pictures.load(index)
        top, left = ((n - side) // 2 for n in picture.shape[-2:])
        squares.append(picture[..., top : top + side, left : left + side])
    return torch.cat(squares)


def _line(answer: "Answer") -> str:
    rate = f"{answer.wins}/{answer.n} [{100 * answer.low:.0f} to {100 * answer.high:.0f} %]"
    cost = "" if answer.psnr is None else f", {answer.psnr:.1f} dB"
    return f"{answer.scheme}  {answer.test}  {answer.setting}: {answer.attacker_wants} {rate}{cost}"


def _table(answers: "list[Answer]") -> str:
    lines = [
        "| scheme | test | what is done | the attacker wants | wins | 95 % interval | PSNR, dB |",
        "|---|---|---|---|---|---|---|",
    ]
    for a in answers:
        cost = "-" if a.psnr is None else f"{a.psnr:.1f}"
        interval = f"{100 * a.low:.0f} to {100 * a.high:.0f} %"
        cells = (a.scheme, a.test, a.setting, a.attacker_wants, f"{a.wins}/{a.n}", interval, cost)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
