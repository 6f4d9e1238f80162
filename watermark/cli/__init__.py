"""The command ``watermark``: one verb, one file; this one only finds it and turns errors into one line."""

import argparse
import importlib
import io
import logging
import os
import re
import shlex
import sys
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn

from watermark.errors import TRACEBACK, UserError, meant, show_origin
from watermark.shown import reason, shown, to_install

HYDRA_VERBS = {
    "evaluate": "mark, attack and detect many pictures, and report what survives (the main job)",
    "train": "train a learned scheme",
}
VERBS = {
    "doctor": "check that everything works here, and say what to do where it does not",
    "list": "say what schemes, attacks, suites, layouts, codecs and extras there are",
    "show": "describe one of them: its settings, its class, its model card",
    "embed": "mark a picture or a folder of pictures",
    "detect": "look for a mark in pictures or folders",
    "demo": "mark, attack and read side by side in the browser",
    "locate": "say which part of a picture carries the mark, and which was edited",
    "issue": "allocate an ID, mark, label and record a picture, all or nothing",
    "torture": "put one marked picture through forty everyday attacks and say what survives",
    "study": "ask people whether they see the mark, and say what they answered",
    "trace": "say whose picture this is, with evidence",
    "serve": "answer over HTTP whose pictures these are: a page and an API",
    "pipeline": "mark or read pictures by the million, on Ray or on this machine",
    "registry": "keep and check the record of issued IDs",
    "key": "make and check key files",
    "report": "build the report of a run again from its rows",
    "compare": "say what differs between two runs, and what cannot be told apart",
    "leaderboard": "put schemes of many runs, ours or sent in, on one page",
    "remeasure": "measure random cells of a run again and compare",
    "attacks": "show or time the attacks, or try them on somebody else's mark",
    "forgery": "try to forge, remove and transplant our own marks",
    "bench": "time and weigh marking and reading against picture size and batch",
}
REQUIRED = {
    "PIL": "pillow",
    "alembic": "alembic",
    "cv2": "opencv-python-headless",
    "hydra": "hydra-core",
    "jinja2": "jinja2",
    "markupsafe": "markupsafe",
    "numpy": "numpy",
    "omegaconf": "omegaconf",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "pywt": "pywavelets",
    "rich": "rich",
    "safetensors": "safetensors",
    "scipy": "scipy",
    "skimage": "scikit-image",
    "sqlalchemy": "sqlalchemy",
    "torch": "torch",
}
"""What each package that we require is called where it is imported: it is missing where somebody installed fewer."""
WAIT_POLICY = "OMP_WAIT_POLICY"
"""How a thread of torch waits for the others; read when torch is imported. By default it keeps its core busy. On a
machine that others use too that is most of the time of a command; on a free one a thread that sleeps costs nothing."""
EXIT_ERROR, EXIT_INTERRUPTED = 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit status is the verb's, 2 for an error that was told in one line."""
    words = [*(sys.argv[1:] if argv is None else argv)]  # ``list`` is a verb here, and its module has the name
    os.environ.setdefault(WAIT_POLICY, "PASSIVE")
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # a lost connection is told in our own words
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what a file has wrong is told in our own words, or not at all
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may be no text
    try:
        if words and words[0] in HYDRA_VERBS:
            return int(importlib.import_module(f"watermark.cli.{words[0]}").main(words[1:]))
        args = _parser(words).parse_args(words or ["--help"])  # who says nothing is told what there is
        return int(args.run(args))
    except KeyboardInterrupt:
        print("watermark: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `watermark detect ... | head` is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return tell(error, words)


def missing(error: ModuleNotFoundError, extra: str) -> Exception:
    """What to raise where a verb of an extra finds no package: what to install; the error itself if all need it."""
    if _package(error) in REQUIRED:
        return error
    return UserError(f"{extra} needs the package {error.name}: pip install 'robust-watermark[{extra}]'")


def _package(error: ModuleNotFoundError) -> str:
    return (error.name or "").split(".")[0]


def tell(error: Exception, words: Sequence[str] = ()) -> int:
    """Say in one line what went wrong; the exit status. 1 is an answer ("not marked", "differs"), and no error is.

    Args:
        error: that ended the command.
        words: of the command after ``watermark``, as far as they are known; a hint to install something repeats them.
    """
    if isinstance(error, UserError):
        said = shown(error, 2000)
    elif isinstance(error, OSError) and error.filename is not None:
        said = f"{shown(error.filename)}: {reason(error)}"
    elif isinstance(error, ModuleNotFoundError) and (name := _package(error)) in REQUIRED:
        said = f"the package {REQUIRED[name]} is missing, as in the small installation that only marks and reads: "
        said += "pip install robust-watermark, or from the folder above a clone pip install ./robust-watermark"
    else:
        hint = f"please report it, with what {TRACEBACK}=1 shows"
        said = f"unexpected {type(error).__name__}: {reason(error)}; {hint}"
    show_origin(error)
    print(f"watermark: {to_install(said, _typed(words))}", file=sys.stderr)
    return EXIT_ERROR


def _typed(words: Sequence[str]) -> str:
    """The words as they can be typed again; three dots where there are none, or an address that may hold a password."""
    if any("@" in word.partition("://")[2] for word in words):
        return "..."
    return shown(shlex.join(words)) or "..."


class _Parser(argparse.ArgumentParser):
    """One that says in one line what is wrong with the words, as everything else here does."""

    help_of: str | None = None
    """The verb whose help to name; None: this parser's own."""

    made: ClassVar[list["_Parser"]] = []
    """All of this command, of its verb and of the verb's actions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.made.append(self)

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        name = self.help_of or self.prog
        meant = self._meant(message, next((one for one in self.made if one.prog == name), self))
        self.exit(EXIT_ERROR, f"watermark: {shown(_as_expected(message), 2000)}{meant}; see `{name} --help`\n")

    @staticmethod
    def _meant(message: str, parser: argparse.ArgumentParser) -> str:
        """What was probably meant by the word that the message is about."""
        if found := re.match(r"unrecognized arguments: (--[^\s=]+)", message):
            options = [option for action in parser._actions for option in action.option_strings]
            return meant(found[1], options)
        if found := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            return meant(found[1], re.findall(r"[\w-]+", found[2]))
        if message.endswith("required: ACTION"):
            choices = next(action.choices for action in parser._actions if action.metavar == "ACTION")
            return f" (one of {', '.join(choices or ())})"
        return ""


class _Version(argparse.Action):
    """The installed version, looked up only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from watermark import __version__

        print(f"robust-watermark {__version__}")
        parser.exit()


def _as_expected(message: str) -> str:
    """What argparse says of a wrong value, as all other lines here say it: what was expected, and what was given."""
    if found := re.fullmatch(r"argument (\S+): invalid (int|float) value: (.*)", message, re.DOTALL):
        return f"{found[1]}: expected {'a whole number' if found[2] == 'int' else 'a number'}, got {found[3]}"
    if found := re.fullmatch(r"argument (\S+): (expected .*, got .*)", message, re.DOTALL):
        return f"{found[1]}: {found[2]}"
    if found := re.fullmatch(r"argument (\S+): invalid choice: (.*) \(choose from (.*)\)", message, re.DOTALL):
        known = ", ".join(re.findall(r"[\w-]+", found[3]))
        return f"{found[1]}: expected one of {known}, got {found[2]}"
    return message


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """A parser that has imported only the verb that is asked for: torch takes seconds, ``--help`` should not."""
    parser = _Parser(
        prog="watermark", description="Robust invisible watermarks: embed provider and content IDs, detect, measure."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="say the version and end")
    _Parser.made.clear()
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, text in {**HYDRA_VERBS, **VERBS}.items():
        if words and words[0] == name:
            importlib.import_module(f"watermark.cli.{name}").add_parser(verbs)
        else:
            verbs.add_parser(name, help=text)
    parser.help_of = _help_of(words)  # it is this parser that is left with what no verb knows
    return parser


def _help_of(words: Sequence[str]) -> str:
    """The command, with the verb and the action that were asked for: `watermark registry slots`."""
    names = {one.prog for one in _Parser.made}
    asked = (" ".join(["watermark", *words[:count]]) for count in (2, 1))
    return next((name for name in asked if name in names), "watermark")
