"""`trace` and `issue` on hostile files: an answer or one line, nothing raw on the terminal, nothing left behind.

CI tries some fixed cases. The counts in results/published/reliability are of

    WATERMARK_COMMAND_CASES=250 pytest -n 0 -s tests/files/test_hostile_commands.py
"""

import json
import os
import sys
import unicodedata
from collections import Counter

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image
from raw_bytes import chunk, segment, with_chunks, with_segments
from test_fuzz import XMP, mutated, with_metadata
from test_generated_metadata import cases

from watermark.cli import main
from watermark.keystore import KeyFile

CASES = int(os.environ.get("WATERMARK_COMMAND_CASES", "5"))
CODE = "0011" + "0" * 18 + "10001"
FORGED = "1\x1b[2J\x1b]8;;mailto:x\x07\u202e\n  class       innocent\na.png: match (log10 p -250.0)"
TEXTS = [
    json.dumps({"Label": FORGED, "ContentProducer": FORGED, "ProduceID": FORGED}),
    json.dumps({"AIGC": {"Label": "1", FORGED: FORGED}}, ensure_ascii=False),
    '{"Label": "\\ud800\\udfff\\ud800", "ProduceID": "\\u0000\\u009b2J"}',
    FORGED,
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A key and a registry whose slot 7 is of a quick scheme."""
    folder = tmp_path_factory.mktemp("desk")
    KeyFile.new().save(folder / "key.json")
    words = ["registry", "add-slot", "7", "--code", CODE, "--scheme", "dwt_dct"]
    assert main([*words, *options(folder)]) == 0
    return folder


def options(folder):
    return ["--registry", str(folder / "registry.db"), "--key-file", str(folder / "key.json")]


def asked(desk, capsys, path, counts):
    """What both commands say and leave; nothing of it may be other than an answer or one line."""
    target = desk / f"out{path.suffix}"
    for verb, words in (
        ("trace", [str(path)]),
        ("trace", [str(path), "--json", "--output", str(desk / "evidence.json")]),
        ("issue", [str(path), str(target), "--provider", "7", "--visible", "elsewhere"]),
    ):
        status = main([verb, *words, *options(desk)])
        told = capsys.readouterr()
        counts[f"{verb}: {('answered', 'answered', 'refused')[status]}"] += 1
        both = told.out + told.err
        assert [c for c in both if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co"} and c != "\n"] == []
        assert "unexpected" not in both
        assert not any(line.startswith(("a.png: match", "  class       innocent")) for line in both.splitlines())
        if status == 2:
            assert told.out == ""
            assert len(told.err.splitlines()) == 1
        if verb == "issue":
            assert status in (0, 2)
            assert target.exists() == (status == 0)
        elif "--output" in words:
            assert (desk / "evidence.json").exists() == (status != 2)
        assert [file.name for file in desk.iterdir() if file.name.startswith(".")] == []
        for file in (target, desk / "evidence.json"):
            file.unlink(missing_ok=True)


def test_damaged_files_and_generated_metadata(desk, tmp_path, capsys):
    counts: Counter[str] = Counter()

    @settings(
        max_examples=CASES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.one_of(mutated(), with_metadata(), cases(side=96).map(lambda made: (made.suffix[1:], made.content))))
    def case(given_case):
        name, data = given_case
        path = tmp_path / f"a.{name.split()[0].lower()}"
        path.write_bytes(data)
        asked(desk, capsys, path, counts)
        path.unlink()

    case()
    with capsys.disabled():
        sys.stdout.write(f"{dict(sorted(counts.items()))}\n" if CASES > 5 else "")
    assert counts["trace: answered"] > 0


@pytest.mark.parametrize("text", TEXTS, ids=["label", "keys", "surrogates", "no JSON"])
def test_what_a_label_says_is_never_printed_raw(desk, tmp_path, capsys, text):
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (192, 192, 3), dtype=np.uint8))
    exif, raw = Image.Exif(), text.encode("utf-8", "surrogatepass")
    exif[0x010E] = text
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be", "surrogatepass")
    picture.save(tmp_path / "a.jpg", exif=exif.tobytes())
    with_segments(tmp_path / "a.jpg", segment(0xFE, raw), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP))
    picture.save(tmp_path / "a.png")
    escaped = raw.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b'"', b"&quot;")
    blocks = [b"AIGC\0\0\0\0\0" + raw, b"XML:com.adobe.xmp\0\0\0\0\0" + XMP.replace(b"{}", escaped)]
    with_chunks(tmp_path / "a.png", *[chunk(b"iTXt", block) for block in blocks], chunk(b"tEXt", b"AIGC\0" + raw))
    counts: Counter[str] = Counter()
    for name in ("a.jpg", "a.png"):
        asked(desk, capsys, tmp_path / name, counts)
    assert counts["trace: answered"] == 4
