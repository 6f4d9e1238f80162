import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from skimage import data

import watermark
from watermark.config import CONFIG_DIR
from watermark.errors import UserError
from watermark.evaluation.agreement import rounding
from watermark.evaluation.cells import UnitRun
from watermark.evaluation.job import Job, code_hash
from watermark.evaluation.provenance import manifest
from watermark.evaluation.records import arrow_schema
from watermark.evaluation.run import run, run_folder
from watermark.evaluation.store import RunStore
from watermark.evaluation.verify import verify
from watermark.metrics.psnr import psnr
from watermark.schemes.base import Scheme

CODE_HASH = code_hash


def load(group, name):
    return OmegaConf.to_container(OmegaConf.load(CONFIG_DIR / group / f"{name}.yaml"))


def config(output, **changes):
    """Two schemes, two attacks, four synthetic pictures: a run of seconds."""
    jpeg, crop = load("attack", "jpeg"), load("attack", "crop")
    jpeg["sweep"], crop["sweep"] = {"quality": [60]}, {"area": [0.8]}
    settings = {
        "seed": 3,
        "batch_size": 1,
        "device": "cpu",
        "workers": 1,
        "shard": "1/1",
        "samples": 2,
        "keep_logits": True,
        "output": str(output),
        "name": None,
        "false_positive_rate": 1e-6,
        "target_psnr": None,
        "suite_name": "tiny",
        "schemes": {name: load("scheme", name) for name in ("dwt_dct", "dwt_dct_svd")},
        "suite": {"jpeg": jpeg, "crop": crop},
        "data": {**load("data", "synthetic"), "count": 4, "width": 192, "height": 160},
        "layout": load("layout", "l64"),
    }
    return {**settings, **changes}


@pytest.fixture(scope="module", autouse=True)
def frozen_code():
    """Editing a file while the tests run would (rightly) make another job of the same configuration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("watermark.evaluation.job.code_hash", lambda _job: "this version")
        yield


def quiet(_done, _total):
    pass


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    output = tmp_path_factory.mktemp("runs")
    return output, run(Job(config(output)), quiet)


def rows_of(folder):
    return pq.read_table(folder / "rows.parquet")


def test_there_is_one_row_per_image_scheme_cell_and_marked_or_not(finished):
    _, folder = finished
    table = rows_of(folder)
    assert table.schema.equals(arrow_schema())
    rows = table.to_pylist()
    names = {(r["image"], r["scheme"], r["attack"], r["strength"], r["marked"]) for r in rows}
    assert len(rows) == len(names) == 4 * 2 * 3 * 2
    assert not [r["error"] for r in rows if r["error"]]


def test_rows_say_what_happened(finished):
    _, folder = finished
    rows = rows_of(folder).to_pylist()
    plain = [r for r in rows if r["marked"] and r["attack"] == "identity" and r["image_class"] in ("smooth", "busy")]
    assert all(r["payload_ok"] and r["is_marked"] and r["bit_errors"] == 0 for r in plain)
    assert all(abs(r["psnr"] - 42) < 1 for r in plain)
    assert all(r["decoded_content_id"] == r["content_id"] for r in plain)
    negatives = [r for r in rows if not r["marked"]]
    assert not any(r["is_marked"] for r in negatives)
    assert all(r["psnr"] is None and r["payload_ok"] is None for r in negatives)
    assert all(
        (r["attack_psnr"] is None) == (r["attack"] != "jpeg") for r in rows
    )  # null for moved pixels and for equal pictures


def test_payload_and_attack_draw_are_per_image_and_the_same_for_every_scheme(finished):
    _, folder = finished
    rows = rows_of(folder).to_pylist()
    drawn = {}
    for r in rows:
        drawn.setdefault((r["image"], r["attack"]), set()).add((r["provider_id"], r["content_id"], r["seed"]))
    assert all(len(found) == 1 for found in drawn.values())
    assert len({r["content_id"] for r in rows}) == 4


def test_a_second_run_gives_the_same_bytes(finished, tmp_path):
    _, folder = finished
    again = run(Job(config(tmp_path)), quiet)
    assert (again / "rows.parquet").read_bytes() == (folder / "rows.parquet").read_bytes()


def test_processes_and_shards_end_with_the_same_bytes(finished, tmp_path):
    _, folder = finished
    environment = dict(os.environ)
    for shard in ("1/2", "2/2"):
        split = run(Job(config(tmp_path, shard=shard, workers=2)), quiet)
    assert dict(os.environ) == environment  # what its processes need, others do not inherit
    assert (split / "rows.parquet").read_bytes() == (folder / "rows.parquet").read_bytes()


def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(finished, tmp_path):
    _, folder = finished

    class Interrupt(KeyboardInterrupt):
        pass

    def stop_in_the_middle(done, _total):
        if done == 10:
            raise Interrupt

    job = Job(config(tmp_path))
    with pytest.raises(Interrupt):
        run(job, stop_in_the_middle)
    kept = sorted(p.name for p in (run_folder(job) / "parts").iterdir() if p.name.endswith(".rows.parquet"))
    assert 0 < len(kept) < 8
    seen = []
    again = run(Job(config(tmp_path)), lambda done, total: seen.append((done, total)))
    assert seen[0] == (3 * len(kept), 24)  # what was done is not done again
    assert seen[-1] == (24, 24)
    assert (again / "rows.parquet").read_bytes() == (folder / "rows.parquet").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"false_positive_rate": 1e-3},
        {"data": {**load("data", "synthetic"), "count": 4, "width": 192, "height": 160, "seed": 1}},
        {"suite": {}},
        {"schemes": {"dwt_dct": {**load("scheme", "dwt_dct"), "target_psnr": 40}}},
    ],
    ids=["seed", "rate", "data", "suite", "scheme"],
)
def test_whatever_decides_the_rows_decides_the_folder(tmp_path, change):
    assert run_folder(Job(config(tmp_path))) != run_folder(Job(config(tmp_path, **change)))


def test_changed_code_never_finds_old_rows(tmp_path, monkeypatch):
    before = Job(config(tmp_path)).key_hash
    monkeypatch.setattr("watermark.evaluation.job.code_hash", lambda _job: "another version")
    assert Job(config(tmp_path)).key_hash != before


def test_the_code_hash_covers_schemes_attacks_and_classes_from_outside(tmp_path, monkeypatch):
    plugin = tmp_path / "my_plugin.py"
    plugin.write_text("class Mine:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    job = Job(config(tmp_path))
    plain = CODE_HASH(job)
    job.config["suite"] = {"mine": {"build": {"_target_": "my_plugin.Mine"}}}
    with_plugin = CODE_HASH(job)
    plugin.write_text("class Mine:\n    strength = 2\n")
    assert len({plain, with_plugin, CODE_HASH(job)}) == 3


def test_the_code_hash_covers_a_weights_file_that_the_configuration_names(tmp_path):
    weights, job = tmp_path / "own.safetensors", Job(config(tmp_path))
    job.config["schemes"] = {"learned": {**load("scheme", "learned"), "weights": str(weights)}}
    hashes = {CODE_HASH(job)}
    for content in (b"first", b"second"):
        weights.write_bytes(content)
        hashes.add(CODE_HASH(job))
    assert len(hashes) == 3


def test_where_and_how_fast_decide_nothing(tmp_path):
    assert Job(config(tmp_path)).key_hash == Job(config(tmp_path / "x", workers=7, shard="1/3", name="n")).key_hash


def test_a_named_folder_with_other_rows_is_refused(finished):
    output, folder = finished
    with pytest.raises(UserError, match="another configuration"):
        run(Job(config(output, name=folder.name, seed=9)), quiet)


def test_a_failing_cell_is_listed_and_the_rest_is_measured(tmp_path, monkeypatch):
    from attacks.compression import Jpeg

    def fail(*_args):
        raise RuntimeError("out of order")

    monkeypatch.setattr(Jpeg, "transform", fail)
    folder = run(Job(config(tmp_path, schemes={"dwt_dct": load("scheme", "dwt_dct")})), quiet)
    rows = rows_of(folder).to_pylist()
    assert len(rows) == 4 * 3 * 2
    failed = [r for r in rows if r["error"]]
    assert {r["attack"] for r in failed} == {"jpeg"}
    assert all(r["error"] == "RuntimeError: out of order" and r["log10_p"] is None for r in failed)


def test_a_picture_that_cannot_be_read_fails_in_every_cell_and_so_verifies(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("whole.png", "broken.png"):
        Image.fromarray(data.chelsea()[:192, :256]).save(pictures / name)
    (pictures / "broken.png").write_bytes((pictures / "broken.png").read_bytes()[:5_000])
    folder = run(Job(config(tmp_path, data={**load("data", "folder"), "path": str(pictures)})), quiet)
    failed = [row for row in rows_of(folder).to_pylist() if row["error"]]
    assert {row["image"] for row in failed} == {"broken.png"}
    assert len(failed) == 2 * 3 * 2  # schemes, cells, marked or not
    assert verify(folder, cells=12, seed=0, pictures=pictures).differences == []
    assert not any(row["is_marked"] for row in failed)


def test_verify_agrees_with_a_true_run_and_finds_a_changed_row(finished, tmp_path):
    _, folder = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    honest = verify(copy, cells=2, seed=1)
    assert (honest.cells, honest.rows, honest.differences, honest.notes) == (2, 4, [], [])
    for part in (copy / "parts").glob("*.rows.parquet"):
        table = pq.read_table(part)
        doctored = [{**row, "is_marked": True} for row in table.to_pylist()]
        pq.write_table(table.from_pylist(doctored, schema=table.schema), part)
    assert verify(copy, cells=3, seed=1).differing_rows >= 3  # every negative


def test_the_manifest_holds_what_a_stranger_needs(finished):
    _, folder = finished
    facts = json.loads((folder / "manifest.json").read_text())
    assert {"command", "job_key", "config", "git", "versions", "device", "threads", "seeds", "data"} <= set(facts)
    assert facts["versions"]["libjpeg-turbo"] or facts["versions"]["libjpeg"]
    assert len(facts["data"]["images"]) == 4
    assert facts["attacks"]["jpeg"]["sweep"] == [60]


def test_the_manifest_names_the_weights_by_the_bytes_of_their_file(tmp_path):
    schemes = {name: load("scheme", name) for name in ("learned", "learned_tough", "dwt_dct")}
    facts = manifest(Job(config(tmp_path, schemes=schemes)))["schemes"]
    for name in ("learned", "learned_tough"):
        file = Path(watermark.__file__).parent / "schemes" / "weights" / f"{name}.safetensors"
        assert facts[name]["weights_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert facts["dwt_dct"]["weights_sha256"] is None  # it has none


def test_pictures_are_rounded_to_8_bits_before_the_attack(tmp_path):
    job = Job(config(tmp_path, suite={}))
    measured = UnitRun(job, job.units[0], job.marker("dwt_dct")).measure(lambda: None)
    marked = measured.pictures["marked"] * 255
    torch.testing.assert_close(marked, marked.round(), atol=1e-4, rtol=0)
    row = next(r for r in measured.rows if r.marked)
    assert row.psnr == pytest.approx(float(psnr(measured.pictures["marked"], measured.pictures["original"])))


def test_marked_pictures_get_every_measure_and_attacked_ones_only_what_they_cost(finished):
    _, folder = finished
    rows = rows_of(folder).to_pylist()
    marked = [r for r in rows if r["marked"]]
    assert all(0 < r["ciede2000"] < 3 and r["ms_ssim"] is None for r in marked)  # 160 px: too small for five scales
    assert all(r["lpips"] is None and r["dists"] is None for r in rows)
    assert all(r["ciede2000"] is None for r in rows if not r["marked"])


def test_verify_on_another_machine_holds_decisions_and_a_tolerance(finished, tmp_path, monkeypatch):
    _, folder = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    facts = json.loads((copy / "manifest.json").read_text())
    assert facts["rounding"] == rounding(torch.device("cpu"))
    truly = Scheme.decode

    def rounds_differently(scheme, images):
        readout = truly(scheme, images)
        noise = torch.randn(readout.logits.shape, generator=torch.Generator().manual_seed(0))
        return replace(readout, logits=readout.logits * (1 + 1e-5 * noise))

    monkeypatch.setattr(Scheme, "decode", rounds_differently)
    assert verify(copy, cells=6, seed=1).differing_rows > 0
    (copy / "manifest.json").write_text(json.dumps(facts | {"rounding": "another processor"}))
    elsewhere = verify(copy, cells=6, seed=1)
    assert (elsewhere.exact, elsewhere.differences) == (False, [])
    for part in (copy / "parts").glob("*.rows.parquet"):
        table = pq.read_table(part)
        doctored = [{**row, "log10_p": row["log10_p"] - 0.01 * abs(row["log10_p"]) - 0.1} for row in table.to_pylist()]
        pq.write_table(table.from_pylist(doctored, schema=table.schema), part)
    assert verify(copy, cells=6, seed=1).differing_rows == 12


def test_fewer_pictures_can_be_measured_unmarked_and_the_marked_rows_stay_the_same(tmp_path):
    data = {**load("data", "synthetic"), "count": 4, "width": 192, "height": 160}
    rows = {}
    for unmarked, size in ((None, 1), (2, 3), (1, 1)):
        measured = config(tmp_path, data=data, unmarked=unmarked, batch_size=size, name=f"{unmarked}")
        rows[unmarked] = rows_of(run(Job(measured), quiet)).to_pylist()
    for unmarked, pictures in ((2, 2), (1, 1)):
        assert all(row in rows[None] for row in rows[unmarked])
        assert sum(row["marked"] for row in rows[unmarked]) == sum(row["marked"] for row in rows[None])
        assert len({row["image"] for row in rows[unmarked] if not row["marked"]}) == pictures
    with pytest.raises(UserError, match="unmarked: expected at least 0 pictures, got -1"):
        Job(config(tmp_path, unmarked=-1))


def test_an_interrupted_run_holds_the_same_pictures_for_every_scheme(tmp_path):
    job = Job(config(tmp_path))
    seen = []

    def stop(done, _total):
        seen.append(done)
        if done >= 4 * len(job.cells):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(job, stop)
    store = RunStore(run_folder(job))
    done = [unit for unit in job.units if store.has(unit)]
    assert len(done) >= 2
    pictures = [{unit.indices for unit in done if unit.scheme == scheme} for scheme in job.config["schemes"]]
    assert abs(len(pictures[0]) - len(pictures[1])) <= 1


def test_resharing_without_resampling_has_a_cost_and_with_it_has_none(tmp_path):
    reshare = load("attack", "reshare")
    reshare["sweep"] = {"long_edge": [720]}
    data = {**load("data", "synthetic"), "count": 1, "height": 160}
    costs = []
    for width in (192, 800):
        job = Job(config(tmp_path, suite={"reshare": reshare}, data={**data, "width": width}))
        measured = UnitRun(job, job.units[0], job.marker("dwt_dct")).measure(lambda: None)
        costs += [row.attack_psnr for row in measured.rows if row.attack == "reshare" and row.marked]
    assert costs[0] > 25
    assert costs[1] is None


def test_bad_shards_are_refused(tmp_path):
    for shard in ("2", "0/2", "3/2", "a/b"):
        with pytest.raises(UserError, match="expected i/n"):
            run(Job(config(tmp_path, shard=shard)), quiet)
    assert not list(tmp_path.iterdir())


def test_a_part_is_there_whole_or_not_at_all(finished, tmp_path, monkeypatch):
    import watermark.evaluation.parts as store_module

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    job = Job(config(tmp_path))
    measured = UnitRun(job, job.units[0], job.marker("dwt_dct")).measure(lambda: None)
    store = RunStore(tmp_path / "folder")
    monkeypatch.setattr(store_module.pq, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        store.keep(job.units[0], measured)
    assert not store.has(job.units[0])
