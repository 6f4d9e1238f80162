"""`watermark trace FILE`: whose picture is this, with evidence. Exit status 0 match, 1 any other answer, 2 error."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from watermark.cli.identity_options import add_keys_options, add_registry_option, key_files, load_keys, open_registry
from watermark.cli.marking import (
    add_false_positive_option,
    add_file_options,
    add_misattribution_option,
    add_search_option,
    sync_key,
)
from watermark.errors import UserError
from watermark.shown import json_shown, shown

if TYPE_CHECKING:
    from watermark.identity import Evidence, Verdict

LINE = 2000
"""Characters of a printed line."""
DEFAULT_POLICY = "watermark.identity.policy:measures_article_6"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("trace", help="say whose picture this is, with evidence", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="a picture")
    add_keys_options(parser)
    add_registry_option(parser)
    parser.add_argument("--declared", choices=["yes", "no"], help="whether the uploader said that it is AI-generated")
    parser.add_argument(
        "--classifier",
        type=Path,
        metavar="JSON",
        help="file with a classifier's answer, to stand in the evidence: "
        '{"name": "x", "score": 0.9, "is_generated": true}',
    )
    parser.add_argument("--policy", default=DEFAULT_POLICY, help="function of the evidence (default: %(default)s)")
    add_false_positive_option(parser, "of the whole answer")
    add_misattribution_option(parser)
    add_search_option(parser)
    parser.add_argument("--json", action="store_true", help="print the whole evidence")
    parser.add_argument(
        "--public", action="store_true", help="print only what a stranger may know; --output keeps the whole evidence"
    )
    parser.add_argument("--output", type=Path, metavar="JSON", help="write the whole evidence to a new file")
    add_file_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 only for ``match``."""
    from watermark.files import write_whole
    from watermark.identity import State, public, to_json, trace
    from watermark.identity.evidence import classifier_from_json
    from watermark.identity.markers import candidates_for
    from watermark.identity.policy import load_policy

    if args.output and args.output.exists():
        raise UserError(f"{shown(args.output)}: exists already")
    policy = load_policy(args.policy)
    registry = open_registry(args, None)
    rates = {"false_positive_rate": args.false_positive_rate, "misattribution_rate": args.misattribution_rate}
    keys = load_keys(key_files(args))
    candidates = candidates_for(registry, keys, sync_key=sync_key(args), search=args.search, **rates)
    evidence = trace(
        args.file,
        registry,
        candidates,
        **rates,
        declared=None if args.declared is None else args.declared == "yes",
        classifier=classifier_from_json(_read(args.classifier)) if args.classifier else None,
    )
    verdict = policy(evidence)
    report = to_json(evidence, verdict)
    if args.output:
        write_whole(args.output, report + "\n")
    if args.public:
        told = public(evidence)
        print(json_shown(told) if args.json else "\n".join(f"{name:11} {shown(said)}" for name, said in told.items()))
    else:
        print(json_shown(json.loads(report), indent=2) if args.json else _lines(args.file, evidence, verdict))
    return 0 if evidence.watermark.state is State.MATCH else 1


def _lines(path: Path, evidence: "Evidence", verdict: "Verdict") -> str:
    mark = evidence.watermark
    lines = [f"{path}: {mark.state.value} (log10 p {mark.log10_p:.1f})"]
    if mark.provider_id is not None:
        lines.append(f"  mark        provider {mark.provider_id}, content {mark.content_id}")
    if mark.name_uncertain:
        lines.append(f"  mark        of this key, {mark.name_uncertain}")
    if mark.parts:
        lines.append("  parts       " + ", ".join(f"{name} {100 * share:.1f} %" for name, share in mark.parts.items()))
    if mark.found and mark.found.record:
        record = mark.found.record
        lines.append(f"  record      {record.content_producer} {record.produce_id}, issued {record.created_at}")
    if evidence.is_released_file:
        lines.append("  file        the released one, byte for byte")
    if mark.found and mark.found.withdrawn:
        lines.append(f"  withdrawn   {mark.found.withdrawn}")
    if mark.comparison:
        lines.append(f"  looks       {mark.comparison.distance} of 64 bits differ ({mark.comparison.found_as})")
    labels = [
        f"{shown(one.label.label, 20) if one.label else 'unreadable'} in {one.carrier}" for one in evidence.metadata
    ]
    labels = [*labels[:5], f"{len(labels) - 5} more"] if len(labels) > 5 else labels
    agrees = {None: "", True: ", agrees with the record", False: ", CONTRADICTS the record"}[evidence.metadata_agrees]
    lines.append(f"  metadata    {('AIGC label ' + '; '.join(labels) + agrees) if labels else 'no AIGC label'}")
    lines.append(f"  declared    {'not asked' if evidence.declared is None else 'yes' if evidence.declared else 'no'}")
    lines.append(f"  classifier  {evidence.classifier['name'] if evidence.classifier else 'none run'}")
    review = ", a person should look" if verdict.needs_review else ""
    lines.append(f"  class       {verdict.platform_class} by {verdict.policy}{review}")
    return "\n".join(shown(line, LINE) for line in lines)


def _read(path: Path) -> str:
    from watermark.files import read_bytes

    return read_bytes(path).decode("utf-8", "replace")
