"""Every parser keeps the rules of docs/cli.md."""

import argparse
import dataclasses
import importlib
import re
from pathlib import Path

import pytest

from watermark.cli import VERBS
from watermark.cli.marking import as_rate
from watermark.evaluation.config import EvaluateConfig

FLAGS = {
    "--json",
    "--overwrite",
    "--cpu-seconds",
    "--ensure",
    "--full",
    "--public",
    "--costs",
    "--every-frame",
    "--pdf",
    "--mirror",
    "--dry-run",
    "--anywhere",
}
PATHS = {"--output", "--run", "--key-file", "--config-dir", "--pictures", "--font", "--classifier", "--rotate"}
PATHS |= {"--keyring", "--sync-key-file"}
PLURAL = {"--schemes", "--sizes", "--batches", "--attackers", "--only"}
KINDS = {"--provider": int, "--content": int, "--quality": int, "--target-psnr": float}
KINDS |= {"--false-positive-rate": as_rate, "--misattribution-rate": as_rate, "--false-alarm-rate": float}
METAVARS = {"--run": "RUN_DIR"}
DOCS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def parsers():
    """Name and parser of every verb, or of every action of one that has actions."""
    found = []

    def walk(name, parser):
        inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        for action in inner:
            for word, child in action.choices.items():
                walk(f"{name} {word}", child)
        if not inner:
            found.append((name, parser))

    for verb in VERBS:
        subparsers = argparse.ArgumentParser().add_subparsers()
        importlib.import_module(f"watermark.cli.{verb}").add_parser(subparsers)
        walk(verb, subparsers.choices[verb])
    return found


WORDS = [(name, action) for name, parser in parsers() for action in parser._actions if action.dest != "help"]


@pytest.mark.parametrize(("name", "action"), WORDS, ids=[f"{name} {action.dest}" for name, action in WORDS])
def test_every_word_keeps_the_rules(name, action):
    assert action.help
    if not action.option_strings:
        assert re.fullmatch(r"[A-Z_]+", action.metavar or ""), "what stands without a name is shown in capitals"
        return
    (option,) = action.option_strings  # one long name, no abbreviation
    assert re.fullmatch(r"--[a-z]+(-[a-z]+)*", option)
    assert (action.nargs == 0) == (option in FLAGS)
    if option in PATHS:
        assert action.type is Path
    if option in KINDS:
        assert action.type is KINDS[option]
    assert (action.nargs in ("+", "*")) == (option in PLURAL)
    assert action.metavar == METAVARS.get(option, action.metavar)


def test_one_option_means_one_thing_in_every_verb():
    seen = {}
    for name, action in WORDS:
        for option in action.option_strings:
            repeated = isinstance(action, argparse._AppendAction)
            kind = (action.type, action.nargs, repeated if option != "--key-file" else None)
            assert seen.setdefault(option, (kind, name))[0] == kind, f"{option}: {name} against {seen[option][1]}"


def test_the_page_names_what_several_verbs_share():
    verbs = {}
    for name, action in WORDS:
        for option in action.option_strings:
            verbs.setdefault(option, set()).add(name.split()[0])
    shared = {option for option, users in verbs.items() if len(users) > 1}
    assert len(shared) > 10
    assert not {option for option in shared if f"`{option}" not in DOCS}


def test_evaluate_speaks_the_same_words_with_underscores():
    fields = {field.name for field in dataclasses.fields(EvaluateConfig)}
    assert {"scheme", "schemes", "layout", "suite", "target_psnr", "false_positive_rate", "device", "output"} <= fields
