"""Valid files with metadata made by chance, in every place at once: what the target can hold is there byte for byte.

The readers here are our own small ones, not those of the package. CI tries some fixed cases;

    WATERMARK_FUZZ_SECONDS=1800 pytest -n 0 -s --timeout 0 tests/files/test_generated_metadata.py

goes on for half an hour of processor time with ever new ones, and says after every round how many there were.
"""

import os
import struct
import sys
import time
from collections import Counter
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
from block_readers import EXIF, ORIENTATION, blocks_of, walked
from generated_files import cases
from hypothesis import HealthCheck, Phase, given, settings

from watermark import files
from watermark.cli import main
from watermark.files import metadata

SECONDS = float(os.environ.get("WATERMARK_FUZZ_SECONDS", "0"))
CASES = 60
TARGETS = [".png", ".jpg", ".webp", ".tiff", ".avif", ".bmp", ".ppm"]
EXACT = {".png", ".tiff"}


def true_values(exif, size):
    """What of a stream is to be found again: everything but what says how the pixels lie."""
    found = walked(exif) if exif else {}
    found.pop((ORIENTATION,), None)
    if (EXIF, 0xA002) in found:
        kind = found[EXIF, 0xA002][0]
        found[EXIF, 0xA002] = kind, struct.pack({1: "B", 4: ">L"}[kind], size[0])
    return found


def check(case, target):
    """Write a case in another format and look for everything in it."""
    source = files.decode(case.content, "a", strict=True)
    held = metadata.of(source)
    assert set(held.dropped) == case.untrue
    assert np.array_equal(np.asarray(source).reshape(case.upright.shape), case.upright) or not case.exact
    encoded = files.encode(source, Path(f"a{target}"))
    content, lost = encoded.content, set(encoded.lost)
    written = np.asarray(files.decode(content, "b"))
    planes = case.upright.shape[2]
    if case.exact and target in EXACT:
        assert np.array_equal(written.reshape(case.upright.shape), case.upright)
    elif planes in (1, 3):
        seen = np.broadcast_to(written.reshape(*written.shape[:2], -1)[..., :3], (*case.upright.shape[:2], 3))
        assert np.abs(seen.astype(int) - case.upright).mean() < 6
    else:
        assert ("transparency, laid on white" in lost) == (
            target in {".jpg", ".bmp", ".ppm"} and (case.upright[..., -1] < 255).any()
        )
    check_blocks(case, target, content, lost)


def check_blocks(case, target, content, lost):
    """Look for everything but the pixels in a written file."""
    planes, size = case.upright.shape[2], case.upright.shape[1::-1]
    xmp = case.xmp
    for number in range(1, 9):
        xmp = xmp.replace(b'tiff:Orientation="%d"' % number, b'tiff:Orientation="1"')
    if target in {".bmp", ".ppm"}:
        assert {"EXIF", "XMP", "colour profile"} & lost == {
            name for name, block in (("EXIF", case.exif), ("XMP", xmp), ("colour profile", case.icc)) if block
        }
        return
    found = blocks_of(target, content)
    wanted = true_values(case.exif, size)
    there = walked(found["exif"]) if found["exif"] else {}
    assert wanted.items() <= there.items()
    assert there.get((ORIENTATION,), (0, b"\1"))[1][-1:] == b"\1"
    assert found["xmp"] == xmp or (case.suffix == ".jpg" and len(xmp) > 65_000 and xmp[200:-60] in found["xmp"])
    grey = planes < 3
    if grey and target in {".webp", ".avif"} and case.icc:
        assert any(one.startswith("colour profile") for one in lost)
        assert not found["icc"]
    else:
        assert found["icc"] == case.icc
    if case.resources and target in {".jpg", ".tiff"}:
        assert found["resources"] == case.resources
    assert ("IPTC" in lost) == bool(case.resources and target not in {".jpg", ".tiff"})
    if target == ".jpg":
        assert found["comments"] == case.comments
        assert found["segments"] == case.segments
    elif target == ".png":
        texts = [body for kind, body, _ in found["chunks"] if kind == b"tEXt"]
        assert all(b"Comment\0" + comment.replace(b"\0", b"") in texts for comment in case.comments)
        ordered = [one for one in sorted(case.chunks, key=lambda one: one[2]) if one[0] != b"pHYs"]
        assert [one for one in found["chunks"] if one in ordered] == ordered
        assert set(case.chunks) <= set(found["chunks"])
    else:
        assert ("comment" in lost) == bool(case.comments)
    assert ("JPEG segments" in lost) == bool(case.segments and target != ".jpg")
    if target != ".png":
        kinds = {kind for kind, _, _ in case.chunks}
        assert any(one.startswith("PNG text") for one in lost) == bool(kinds & {b"tEXt", b"zTXt", b"iTXt"})
        for kind in kinds & {b"gAMA", b"cHRM", b"vpAg"}:
            assert any(kind.decode() in one for one in lost)


def options(**more):
    return settings(
        phases=[Phase.generate], deadline=None, database=None, suppress_health_check=list(HealthCheck), **more
    )


def test_what_the_target_can_hold_is_there_and_what_it_cannot_is_named():
    counts = Counter()
    until = time.process_time() + SECONDS

    @options(max_examples=CASES, derandomize=not SECONDS)
    @given(cases(), st.sampled_from(TARGETS))
    def case(made, target):
        counts[f"{made.suffix} to {target}"] += 1
        check(made, target)

    case()
    while time.process_time() < until:
        hypothesis.seed(time.time_ns())(case)()
        sys.stdout.write(
            f"{sum(counts.values())} cases after {time.process_time():.0f} CPU s: {dict(sorted(counts.items()))}\n"
        )
        sys.stdout.flush()
    assert len(counts) > 10


def test_the_command_answers_with_0_and_names_what_is_gone(tmp_path, capsys):
    @options(max_examples=8, derandomize=True)
    @given(cases(side=224), st.sampled_from(TARGETS))
    def case(made, target):
        source, marked = tmp_path / f"in{made.suffix}", tmp_path / f"out{target}"
        source.write_bytes(made.content)
        words = ["embed", str(source), str(marked), "--overwrite", "--provider", "1", "--content", "2"]
        assert main([*words, "--scheme", "dwt_dct", "--set", "target_psnr=34", "--preflight", "none"]) == 0
        told = capsys.readouterr()
        assert len(told.out.splitlines()) == 1
        encoded = files.encode(files.load(source), marked)
        names = {*made.untrue, *encoded.lost}
        assert all(name in told.err for name in names)
        assert len(told.err.splitlines()) == bool(made.untrue) + bool(encoded.lost)
        assert main(["detect", str(marked), "--scheme", "dwt_dct", "--set", "target_psnr=34"]) == 0
        capsys.readouterr()
        check_blocks(made, target, marked.read_bytes(), set(encoded.lost))

    case()
