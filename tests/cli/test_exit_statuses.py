"""Every verb, every kind of bad input: status 2, one line, no traceback. 1 is an answer and never an error."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from PIL import Image
from skimage import data

from watermark.cli import HYDRA_VERBS, REQUIRED, VERBS, main, tell
from watermark.errors import UserError
from watermark.keystore import KeyFile
from watermark.reader import pick_device

WORDS = {
    "embed": ["embed", "BAD", "OUT.png", "--provider", "1"],
    "embed, key": ["embed", "GOOD.png", "OUT.png", "--provider", "1", "--key-file", "BAD"],
    "embed, target": ["embed", "GOOD.png", "GOOD.png/below.png", "--provider", "1"],
    "detect": ["detect", "BAD"],
    "detect, key": ["detect", "GOOD.png", "--key-file", "BAD"],
    "issue": ["issue", "BAD", "OUT.png", "--provider", "1", "--key-file", "KEY", "--registry", "REG"],
    "issue, key": ["issue", "GOOD.png", "OUT.png", "--provider", "1", "--key-file", "BAD", "--registry", "REG"],
    "issue, registry": ["issue", "GOOD.png", "OUT.png", "--provider", "1", "--key-file", "KEY", "--registry", "BAD"],
    "trace": ["trace", "BAD", "--key-file", "KEY", "--registry", "REG"],
    "trace, key": ["trace", "GOOD.png", "--key-file", "BAD", "--registry", "REG"],
    "trace, registry": ["trace", "GOOD.png", "--key-file", "KEY", "--registry", "BAD"],
    "trace, classifier": ["trace", "GOOD.png", "--key-file", "KEY", "--registry", "REG", "--classifier", "BAD"],
    "pipeline detect": ["pipeline", "detect", "BAD", "OUT", "--key-file", "KEY", "--engine", "processes"],
    "pipeline detect, key": ["pipeline", "detect", ".", "OUT", "--key-file", "BAD", "--engine", "processes"],
    "pipeline embed": [
        *("pipeline", "embed", "BAD", "OUT", "--provider", "1", "--key-file", "KEY", "--registry", "REG"),
        *("--visible", "elsewhere", "--engine", "processes"),
    ],
    "registry slots": ["registry", "slots", "--registry", "BAD"],
    "registry show": ["registry", "show", "1", "2", "--registry", "BAD"],
    "registry verify": ["registry", "verify", "--registry", "BAD"],
    "registry verify, key": ["registry", "verify", "--registry", "REG", "--key-file", "BAD"],
    "registry purge": ["registry", "purge", "--registry", "BAD", "--key-file", "KEY"],
    "serve": ["serve", "--registry", "BAD", "--key-file", "KEY", "--port", "0"],
    "serve, key": ["serve", "--registry", "REG", "--key-file", "BAD", "--port", "0"],
    "serve, keyring": ["serve", "--registry", "REG", "--keyring", "BAD", "--port", "0"],
    "serve, journal": ["serve", "--registry", "REG", "--key-file", "KEY", "--journal", "GOOD.png/below", "--port", "0"],
    "key show": ["key", "show", "BAD"],
    "key new, rotate": ["key", "new", "OUT.key", "--rotate", "BAD"],
    "key new": ["key", "new", "GOOD.png/below.key"],
    "report": ["report", "BAD"],
    "report, forgery": ["report", "EMPTY", "--forgery", "BAD"],
    "compare": ["compare", "BAD", "BAD"],
    "remeasure": ["remeasure", "BAD"],
    "bench": ["bench", "--run", "BAD"],
    "bench, output": ["bench", "--schemes", "dwt_dct", "--sizes", "256", "--output", "GOOD.png/below"],
    "forgery": ["forgery", "BAD"],
    "forgery, run": ["forgery", "--run", "BAD"],
    "list": ["list", "BAD"],
    "show": ["show", "BAD", "learned"],
    "show, name": ["show", "scheme", "BAD"],
    "doctor": ["doctor", "BAD"],
    "torture": ["torture", "BAD"],
    "torture, key": ["torture", "GOOD.png", "--key-file", "BAD"],
    "torture, suite": ["torture", "GOOD.png", "--suite", "BAD"],
    "torture, output": ["torture", "GOOD.png", "--output", "BAD"],
    "locate": ["locate", "BAD"],
    "study page": ["study", "page", "BAD"],
    "study analyse": ["study", "analyse", "BAD"],
    "demo, key": ["demo", "--key-file", "BAD", "--port", "0"],
    "demo, port": ["demo", "--port", "99999"],
    "locate, key": ["locate", "GOOD.png", "--key-file", "BAD"],
    "locate, keyring": ["locate", "GOOD.png", "--keyring", "BAD"],
    "locate, output": ["locate", "GOOD.png", "--output", "GOOD.png/below.png"],
    "detect, keyring": ["detect", "GOOD.png", "--keyring", "BAD"],
    "attacks show": ["attacks", "show", "BAD"],
    "attacks show, suite": ["attacks", "show", "GOOD.png", "--suite", "BAD"],
    "leaderboard": ["leaderboard", "BAD"],
    "leaderboard, output": ["leaderboard", "GOOD.png", "--output", "GOOD.png/below.html"],
    "attacks try": ["attacks", "try", "BAD", "--detector", "true {}"],
    "attacks try, unmarked": ["attacks", "try", ".", "--detector", "true {}", "--unmarked", "BAD"],
    "attacks bench": ["attacks", "bench", "--size", "BAD"],
    "evaluate": ["evaluate", "scheme=dwt_dct", "suite=smoke", "data=folder", "data.path=BAD"],
    "evaluate, output": ["evaluate", "scheme=dwt_dct", "suite=smoke", "data.limit=1", "output=GOOD.png"],
    "evaluate, name": ["evaluate", "scheme=no_such_scheme"],
    "train": ["train", "experiment=learned", "photos.train=BAD", "photos.val=BAD"],
    "train, start": ["train", "experiment=learned", "start=BAD", "output=OUT"],
}
CONTENT = {
    "empty": b"",
    "garbage": bytes(range(256)) * 8,
    "half a picture": None,
    "JSON, cut": b'{"a": [1, 2',
    "JSON of another kind": b"[1, 2, 3]",
    "JSON, deep": b"[" * 100_000,
}
KINDS = ["missing", "folder", "below a file", "pipe", "huge", *CONTENT]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A picture, a key, an empty registry, and one bad path of every kind."""
    folder = tmp_path_factory.mktemp("room")
    Image.fromarray(data.chelsea()[:192, :256]).save(folder / "GOOD.png")
    KeyFile.new().save(folder / "KEY")
    add = ["registry", "add-slot", "1", "--code", "001100000000000000000010001"]
    assert main([*add, "--key-file", str(folder / "KEY"), "--registry", str(folder / "REG")]) == 0
    (folder / "EMPTY").mkdir()
    (folder / "folder").mkdir()
    for kind, content in CONTENT.items():
        whole = (folder / "GOOD.png").read_bytes()
        (folder / kind).write_bytes(whole[: len(whole) // 2] if content is None else content)
        (folder / kind).chmod(0o600)
    os.mkfifo(folder / "pipe", 0o600)  # nobody writes to it: who opens it waits for ever
    with (folder / "huge").open("wb") as file:
        file.truncate(2**40)  # takes no room
    (folder / "huge").chmod(0o600)
    return folder


def filled(words, room, kind):
    bad = room / "GOOD.png" / "below" if kind == "below a file" else room / kind
    names = ("GOOD.png", "OUT.png", "OUT.key", "OUT", "KEY", "REG", "EMPTY")
    return [word.replace("BAD", str(bad)) if "BAD" in word else _placed(word, room, names) for word in words]


def _placed(word, room, names):
    option, equals, value = word.rpartition("=")
    return f"{option}{equals}{room / value}" if value.split("/")[0] in names else word


def test_who_says_nothing_is_told_every_verb(capsys):
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert [verb for verb in (*HYDRA_VERBS, *VERBS) if f"\n    {verb}" not in said] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["embed"], "the following arguments are required: IN, OUT, --provider; see `watermark embed --help`"),
        (
            ["registry", "show", "1"],
            "the following arguments are required: CONTENT; see `watermark registry show --help`",
        ),
        (["detect", "a.png", "--count", "5"], "unrecognized arguments: --count 5; see `watermark detect --help`"),
        (["embed", "a", "b", "--provider", "7", "--keyfile", "k"], "(did you mean --key-file?); see `watermark embed"),
        (
            ["registry", "slots", "--registy", "r.db"],
            "(did you mean --registry?); see `watermark registry slots --help`",
        ),
        (["registry", "slot"], "(did you mean slots?); see `watermark registry --help`"),
        (["key"], "arguments are required: ACTION (one of new, show); see `watermark key --help`"),
        (["embd"], "(did you mean embed?); see `watermark --help`"),
        (["paint"], "VERB: expected one of evaluate, train, doctor,"),
        (["paint"], "bench, got 'paint'; see"),
        (["embed", "a", "b", "--provider", "seven"], "--provider: expected a whole number, got 'seven'; see"),
        (["detect", "a.png", "--false-positive-rate", "low"], "--false-positive-rate: expected a number between 0"),
        (["list", "a\x1b\nb"], "KIND: expected one of schemes, attacks, suites, layouts, codecs, extras, got '"),
    ],
)
def test_words_that_are_none_are_one_line(capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("watermark: ")
    assert said in line
    assert line.isprintable()


def test_every_verb_is_walked():
    assert {words[0] for words in WORDS.values()} == {*VERBS, *HYDRA_VERBS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", WORDS)
def test_bad_input_is_one_line_and_status_2(room, capfd, monkeypatch, verb, kind):
    if not any("BAD" in word for word in WORDS[verb]) and kind != "missing":
        pytest.skip("has one kind of bad input")
    monkeypatch.chdir(room)
    words = filled(WORDS[verb], room, kind)
    before = {path.name for path in room.iterdir()}
    try:
        status = main(words)
    except SystemExit as stop:
        status = stop.code
    said = capfd.readouterr().err
    assert status == 2, (words, said)
    beside = ("WARNING", "1 picture,", "Measuring")  # no key file, progress
    lines = [line for line in said.splitlines() if not line.startswith(beside)]
    assert len(lines) == 1, said
    assert "Traceback" not in said
    assert "unexpected" not in lines[0]
    assert all(character.isprintable() for character in lines[0])
    assert {name for name in sorted(path.name for path in room.iterdir()) if name not in before} <= {
        "OUT",
        "REG-shm",
        "REG-wal",
    }


@pytest.mark.parametrize(
    ("module", "package", "words"),
    [
        ("pywt", "pywavelets", ["torture", "x.png"]),
        ("hydra", "hydra-core", ["evaluate"]),
        ("hydra", "hydra-core", ["train"]),
        ("sqlalchemy", "sqlalchemy", ["serve", "--host", "127.0.0.1"]),
    ],
)
def test_a_package_that_a_small_installation_lacks_is_named_with_what_to_install(module, package, words):
    """In a process of its own, where nothing of it has been imported."""
    code = f"import sys; sys.modules[{module!r}] = None; from watermark.cli import main; sys.exit(main({words!r}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 2
    (line,) = found.stderr.splitlines()
    assert line.startswith(f"watermark: the package {package} is missing, as in the small installation")
    assert line.endswith(
        ": pip install robust-watermark, or from the folder above a clone pip install ./robust-watermark"
    )


@pytest.mark.parametrize(
    ("registry", "again"),
    [
        ("postgresql+pg8000://me:secret@host/marks", "..."),
        ("postgresql+pg8000://host/marks", "registry slots --registry postgresql+pg8000://host/marks"),
    ],
)
def test_a_hint_repeats_the_command_but_no_address_that_may_hold_a_password(registry, again, monkeypatch, capsys):
    monkeypatch.setattr("watermark.shown.FROM_A_CLONE", True)
    error = UserError("a server needs pg8000: pip install 'robust-watermark[postgresql]'")
    assert tell(error, ["registry", "slots", "--registry", registry]) == 2
    assert capsys.readouterr().err == (
        f"watermark: a server needs pg8000: uv run --extra postgresql watermark {again}\n"
    )


def test_every_package_that_we_require_has_a_name_by_which_it_is_imported():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert set(REQUIRED.values()) == {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    assert all(importlib.util.find_spec(module) for module in REQUIRED)


@pytest.mark.parametrize("verb", ["report", "remeasure", "evaluate", "detect"])
def test_an_unexpected_error_is_no_answer(tmp_path, verb):
    """In a process of its own: whatever breaks inside, the status is 2 and one line says so."""
    code = (
        "import sys, importlib\n"
        "import watermark.cli as cli\n"
        "def broken(*_):\n"
        "    raise ZeroDivisionError('inside')\n"
        "module = importlib.import_module(f'watermark.cli.{sys.argv[1]}')\n"
        "setattr(module, 'main' if sys.argv[1] == 'evaluate' else 'run', broken)\n"
        "sys.exit(cli.main([sys.argv[1], 'x']))\n"
    )
    (tmp_path / "x").touch()
    found = subprocess.run(
        [sys.executable, "-c", code, verb], capture_output=True, text=True, cwd=tmp_path, env={**os.environ}
    )
    assert found.returncode == 2
    assert "ZeroDivisionError: inside" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("verb", ["detect", "report", "remeasure", "key show"])
def test_what_may_not_be_read_is_one_line(tmp_path, capfd, verb):
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "manifest.json").write_text("{}")
    closed.chmod(0)
    try:
        assert main([*verb.split(), str(closed)]) == 2
        assert len(capfd.readouterr().err.splitlines()) == 1
    finally:
        closed.chmod(0o700)


def test_the_room_is_as_it_was(room):
    assert Path(room / "EMPTY").is_dir()
    assert not list((room / "EMPTY").iterdir())


def test_a_slot_that_is_refused_leaves_no_registry_behind(tmp_path, capsys):
    key, registry = tmp_path / "my.key", tmp_path / "registry.db"
    assert main(["key", "new", str(key)]) == 0
    for slot, code, said in (("7", "123", "got '123'"), ("5000", "0" * 27, "0 to 4095 in layout l64, got 5000")):
        words = ["registry", "add-slot", slot, "--code", code, "--key-file", str(key), "--registry", str(registry)]
        assert main(words) == 2
        assert said in capsys.readouterr().err
        assert sorted(tmp_path.iterdir()) == [key]


def test_the_version_is_said(capsys):
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--version"])
    assert re.fullmatch(r"robust-watermark \S+\n", capsys.readouterr().out)


@pytest.mark.parametrize("device", ["gpu", "cuda"])
def test_a_device_that_is_not_here_is_told_in_our_own_words(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=rf"^device: expected cpu.* got {device}$"):
        pick_device(device)
