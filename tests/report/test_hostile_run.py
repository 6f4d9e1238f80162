"""A run folder that a stranger wrote, as `report` and `compare` read it: links, lies about size, names, markup."""

import base64
import io
import json
import os
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from watermark.cli import main


@pytest.fixture
def run(sim, tmp_path):
    return sim.simulate(tmp_path / "run", sim.Simulation(photos=2, hard=0))


def told(words, capsys):
    status = main([str(word) for word in words])
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if not line.startswith("WARNING")]
    assert (status, len(lines)) in ((0, 0), (2, 1)), said.err
    assert "unexpected" not in said.err, said.err
    return status, said


def reported(words, capsys):
    status, said = told(words, capsys)
    assert status == 0, said.err
    return said


def refused(words, capsys):
    status, said = told(words, capsys)
    assert status == 2
    return said.err


def test_the_simulated_run_is_reported(run, capsys):
    reported(["report", run], capsys)
    reported(["compare", run, run], capsys)


@pytest.mark.parametrize("name", ["manifest.json", "rows.parquet"])
def test_a_link_is_no_file_of_the_run(run, tmp_path, capsys, name):
    (run / name).replace(tmp_path / "elsewhere")
    (run / name).symlink_to(tmp_path / "elsewhere")
    assert name in refused(["report", run], capsys)


def test_no_picture_from_outside_gets_into_the_report(run, tmp_path, capsys):
    Image.new("RGB", (64, 64), (12, 34, 56)).save(tmp_path / "private.webp", lossless=True)
    marked = next((run / "samples").rglob("marked.webp"))
    original = marked.with_name("original.webp")
    original.unlink()
    original.symlink_to(tmp_path / "private.webp")
    reported(["report", run], capsys)
    page = (run / "report.html").read_text()
    with io.BytesIO() as leaked:
        Image.new("RGB", (64, 64), (12, 34, 56)).save(leaked, "WEBP", quality=82, method=4)
        assert base64.b64encode(leaked.getvalue()).decode() not in page
    folder = marked.parent
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    reported(["report", run], capsys)


@pytest.mark.parametrize("name", ["report.html", "report.json", "table.md", "summary.json"])
def test_no_output_is_written_through_a_link(run, tmp_path, capsys, name):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(victim)
    (run / f".{name}.{os.getpid()}.partial").symlink_to(victim)
    reported(["report", run], capsys)
    assert victim.read_text() == "precious"
    assert not (run / name).is_symlink()


def test_adopted_answers_are_not_written_through_a_link(run, sim, tmp_path, capsys):
    victim, answers = tmp_path / "victim", tmp_path / "forgery.json"
    victim.write_text("precious")
    answers.write_text("[]")
    (run / "forgery.json").symlink_to(victim)
    reported(["report", run, "--forgery", answers], capsys)
    assert victim.read_text() == "precious"


def rewritten(run, change):
    table = pq.read_table(run / "rows.parquet")
    pq.write_table(change(table), run / "rows.parquet")


def of_type(column, kind):
    def change(table):
        place = table.schema.get_field_index(column)
        return table.set_column(place, column, pa.array([None] * len(table), kind))

    return change


@pytest.mark.parametrize(
    "change",
    [
        of_type("log10_p", pa.string()),
        of_type("marked", pa.list_(pa.struct([("a", pa.int8())]))),
        of_type("image", pa.int64()),
        of_type("strength", pa.map_(pa.string(), pa.binary())),
        lambda table: table.drop_columns(["is_marked"]),
        lambda table: table.slice(0, 0),
        lambda table: pa.table({}),
    ],
    ids=["text", "nested", "number", "map", "a column less", "no row", "nothing"],
)
def test_rows_of_another_shape_are_one_line(run, capsys, change):
    rewritten(run, change)
    assert "rows.parquet" in (said := refused(["report", run], capsys)) or "at least one row" in said


def test_more_columns_harm_nothing(run, capsys):
    rewritten(run, lambda table: table.append_column("more", pa.array([{"a": [1]}] * len(table))))
    reported(["report", run], capsys)


def test_rows_that_take_no_room_are_not_unpacked(run, capsys):
    """Three hundred million equal rows take kilobytes on disk and hundreds of gigabytes in memory."""
    row = pq.read_table(run / "rows.parquet").slice(0, 1)
    block = pa.concat_tables([row] * 1000).combine_chunks()
    block = block.set_column(block.schema.get_field_index("logits"), "logits", pa.nulls(len(block), pa.binary()))
    block = pa.concat_tables([block] * 1000)
    with pq.ParquetWriter(run / "rows.parquet", block.schema, compression="zstd") as writer:
        for _ in range(2):
            writer.write_table(block)
    assert "2000000 rows" in refused(["report", run], capsys)


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1" * 100, os.urandom(4096)], ids=["empty", "magic", "x", "random"]
)
@pytest.mark.parametrize("name", ["rows.parquet", "costs.parquet"])
def test_what_is_no_table_is_one_line(run, capsys, name, content):
    (run / name).write_bytes(content)
    assert name in refused(["report", run], capsys)


NASTY = [
    "\x1b[31mred\x1b[0m",
    "a\nb",
    "\u202ereversed",
    "\ud800",
    "[link=http://x]y[/link]",
    "<script>alert(1)</script>",
]


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_no_text_drives_the_terminal_or_the_page(run, sim, capsys, text):
    facts = json.loads((run / "manifest.json").read_text())
    facts |= {"command": text, "device": text, "versions": {text: text}}
    facts["data"]["name"] = text
    facts["config"][text] = {text: text}
    (run / "manifest.json").write_text(json.dumps(facts))
    if text.isascii() or text.isprintable():
        sim.change_rows(run, lambda row: row.update(image_class=text, error=text if row["attack"] == "crop" else None))
    said = reported(["report", run], capsys)
    page = (run / "report.html").read_text() + (run / "table.md").read_text()
    for printed in (said.out + said.err, page):
        assert not set("\x1b\u202e\ud800") & set(printed)
    assert page.count("<script") == 1


@pytest.mark.parametrize("name", ["../../up", "/etc", "..", "a\\b", "\x1b[2J", "[red]x", "x" * 200, ""], ids=ascii)
@pytest.mark.parametrize("where", ["manifest", "rows"])
def test_a_name_that_leads_out_or_drives_the_terminal_is_refused(run, sim, capsys, name, where):
    if where == "rows":
        sim.change_rows(run, lambda row: row.update(scheme=name))
    else:
        facts = json.loads((run / "manifest.json").read_text())
        facts["schemes"] = {name: next(iter(facts["schemes"].values()))}
        (run / "manifest.json").write_text(json.dumps(facts))
    assert "\x1b" not in refused(["report", run], capsys)


VALUES = [None, [], {}, 0, -1, 2**70, 1e308, float("nan"), "", "x" * 5000, True, [[]], {"a": {"b": []}}, "\x00"]


def mutated(node, draw):
    """One value somewhere in a JSON document, replaced, removed or repeated."""
    if isinstance(node, dict | list) and node and draw.random() < 0.85:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = draw.choice(keys)
        if draw.random() < 0.1:
            return {k: v for k, v in node.items() if k != key} if isinstance(node, dict) else node[:-1]
        copy = dict(node) if isinstance(node, dict) else list(node)
        copy[key] = mutated(node[key], draw)
        return copy
    return draw.choice(VALUES)


@pytest.mark.parametrize("seed", range(int(os.environ.get("MUTANTS", "12"))))
def test_a_mutated_folder_is_reported_or_refused_in_one_line(run, capsys, seed):
    draw = random.Random(seed)
    files = {
        "manifest.json": json.loads((run / "manifest.json").read_text()),
        "progress.json": {"units": 4, "units_done": 2, "rows": 3},
        "lookups.json": {"schemes": {"average": {"near": {"right": 1, "wrong": 0, "none": 2, "n": 3}, "random": None}}},
        "bench.json": {"cases": [{"scheme": "average", "stage": "embed", "side": 256, "batch": 1, "seconds": 0.1}]},
        "forgery.json": {"answers": [{"scheme": "a", "test": "F1", "setting": "s", "wins": 1, "n": 2, "psnr": 3.0}]},
    }
    name = draw.choice(["manifest.json", *files])
    beside = files[name]
    for _ in range(draw.randint(1, 3)):
        beside = mutated(beside, draw)
    (run / name).write_text(json.dumps(beside))
    told(["report", run], capsys)


def test_a_mutated_table_is_reported_or_refused_in_one_line(run, capsys):
    whole = (run / "rows.parquet").read_bytes()
    draw = np.random.default_rng(0)
    for _ in range(int(os.environ.get("MUTANTS", "12"))):
        content = bytearray(whole)
        for place in draw.integers(len(content), size=draw.integers(1, 20)):
            content[place] = draw.integers(256)
        (run / "rows.parquet").write_bytes(content)
        told(["report", run], capsys)
