"""The picture that people look at, and the table that they read."""

import json

import numpy as np
import pytest
import torch

import attacks
from attacks.bench import main
from attacks.contact_sheet import LABEL, Tile, contact_sheet, psnr
from watermark.cli import main as verb


def test_sheet_shows_every_cell_with_a_label(photo):
    cells = [Tile("jpeg", "quality", q, attacks.Jpeg(q)) for q in (90, 50, 10)]
    cells.append(Tile("crop", "area", 0.5, attacks.Crop(0.5)))
    sheet = np.asarray(contact_sheet(photo[0], cells, columns=3, tile=80))
    assert sheet.shape == (2 * (60 + LABEL + 8), 3 * 88, 3)
    assert (sheet[64 : 64 + LABEL, :88] < 128).any()  # letters under the first tile
    assert (sheet[-LABEL:, 176:] == 255).all()  # the sixth place is empty


def test_sheet_of_nothing_is_refused(photo):
    with pytest.raises(ValueError, match="cell"):
        contact_sheet(photo[0], [])


def test_psnr_counts_8_bit_levels():
    black = torch.zeros(3, 4, 4)
    assert psnr(black, black + 1 / 255) == pytest.approx(48.13, abs=0.01)
    assert psnr(black, black + 0.1 / 255) == float("inf")


def test_benchmark_compares_both_sides_in_one_run(tmp_path, capsys):
    main(["--size", "48", "--batches", "1", "--repeats", "1", "--output", str(tmp_path / "speed.json")])
    rows = json.loads((tmp_path / "speed.json").read_text())["rows"]
    assert len(rows) >= 35
    assert all(row["loop_ms"] > 0 and row["batched_ms"] > 0 for row in rows)
    printed = capsys.readouterr().out
    assert "| attack |" in printed
    assert ("no GPU" in printed) is not torch.cuda.is_available()


def test_the_verb_hands_its_options_to_the_benchmark(capsys):
    assert (
        verb(["attacks", "bench", "--size", "48", "--batches", "1", "2", "--repeats", "1", "--only", "flip", "crop .5"])
        == 0
    )
    printed = capsys.readouterr().out
    assert printed.count("| flip |") == printed.count("| crop .5 |") == 2
    assert "blur" not in printed
