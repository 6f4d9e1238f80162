"""`watermark doctor`: mark, save, read and time one picture here, try every file format, and say what is missing.

The last line says "works", or what to do.
"""

import argparse
from dataclasses import asdict, replace

from watermark.shown import json_shown, shown, to_install

SIGNS = {True: "ok", False: "FAILS", None: "-"}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("doctor", help="check that everything works here", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a check and line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 if everything that is installed works, else 1."""
    from watermark.doctor import checks, verdict

    found = []
    for check in checks():
        check = replace(check, said=to_install(check.said))
        found.append(check)
        if args.json:
            print(json_shown(asdict(check)), flush=True)
        else:
            print(f"{SIGNS[check.works]:5} {check.name:20} {shown(check.said)}", flush=True)
    if not args.json:
        print(verdict(found))
    return int(any(check.works is False for check in found))
