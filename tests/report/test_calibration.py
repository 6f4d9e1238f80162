"""The diffusion rungs' calibration: of the attacks as they are, true to its own numbers, and found by a run."""

import re
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from watermark.config import compose, target_of
from watermark.report.browser import FLAGS, find_browser
from watermark.report.calibration import calibrated, calibration, settings
from watermark.report.html import render

KNOWN = calibrated()
RUNGS = [(entry, rung) for entry in KNOWN["attacks"] for rung in entry["rungs"]]


def run_of(entry, build, name="a_name_of_its_own", version=None):
    facts = {
        "class": entry["class"],
        "version": version or entry["version"],
        "sweep": [r["strength"] for r in entry["rungs"]],
    }
    return SimpleNamespace(
        attacks=[name], manifest={"attacks": {name: facts}, "config": {"suite": {name: {"build": build}}}}
    )


@pytest.mark.parametrize("entry", KNOWN["attacks"], ids=lambda entry: "-".join(map(str, entry["build"].values())))
def test_every_entry_is_an_attack_of_ours_at_its_present_version(entry):
    assert entry["rungs"]
    kind = target_of({"_target_": entry["class"]})
    assert kind.version == entry["version"]  # another version is another attack: calibrate again


@pytest.mark.parametrize(
    "name", ["diffusion", "diffusion_ancestral", "diffusion_inversion", "diffusion_rinse4", "diffusion_pixel"]
)
def test_the_configured_attacks_are_the_calibrated_ones(name):
    build = compose("attack", name)["build"]
    same = [
        entry for entry in KNOWN["attacks"] if (entry["class"], entry["build"]) == (build["_target_"], settings(build))
    ]
    assert len(same) == 1


def test_a_run_finds_its_rungs_by_what_they_are_and_not_by_their_name():
    for entry in KNOWN["attacks"]:
        found = calibration(run_of(entry, entry["build"] | {"_partial_": True, "size": 512}))
        assert [(rung.attack, rung.strength) for rung in found.rungs] == [
            ("a_name_of_its_own", rung["strength"]) for rung in entry["rungs"]
        ]
        assert calibration(run_of(entry, entry["build"] | {"model": "weights.safetensors"})) is None
        assert calibration(run_of(entry, entry["build"], version=99)) is None


@pytest.mark.parametrize(
    "config", [None, {}, {"suite": "standard"}, {"suite": {"mine": 3}}, {"suite": {"mine": {"build": []}}}]
)
def test_a_manifest_that_somebody_wrote_breaks_nothing(config):
    facts = {"class": KNOWN["attacks"][0]["class"], "version": 1, "sweep": None}
    for manifest in ({"attacks": {"mine": facts}, "config": config}, {"attacks": {"mine": None}, "config": config}):
        assert calibration(SimpleNamespace(attacks=["mine"], manifest=manifest)) is None


@pytest.mark.parametrize(("entry", "rung"), RUNGS)
def test_the_step_is_the_one_that_leaves_as_many_bits_in_the_published_table(entry, rung):
    for peer in rung["peers"]:
        assert peer["low"] <= peer["bits_right"] <= peer["high"]
        published = np.minimum.accumulate(KNOWN["published"][peer["peer"]])
        spread = re.fullmatch(r"(.+) \[(.+) to (.+)\]", peer["as_step"])
        said = spread.groups() if spread else 3 * (peer["as_step"],)
        for text, share in zip(said, (peer["bits_right"], peer["high"], peer["low"]), strict=True):
            if text == "under 60":
                assert share > published[0] - 1e-4
            elif text == "beyond 240":
                assert share < published[-1] + 1e-4
            else:
                assert np.interp(int(text), KNOWN["published"]["step"], published) == pytest.approx(share, abs=1e-3)


def test_its_tables_fit_a_phone(data, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the dev dependency playwright")
    if (chromium := find_browser()) is None:
        pytest.skip("needs a Chromium; on Debian: apt-get install chromium")
    rungs = [asdict(calibration(run_of(entry, entry["build"], "diffusion_pixel"))) for entry in KNOWN["attacks"]]
    both = rungs[0] | {"rungs": [rung for one in rungs for rung in one["rungs"]]}
    (tmp_path / "report.html").write_text(render(data | {"calibration": both}, []))
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.goto((tmp_path / "report.html").as_uri())
        tables = page.locator("#published h3 ~ .scroll")
        assert tables.evaluate_all("all => all.map(t => t.scrollWidth - t.clientWidth)") == [0, 0]
        rows = page.locator("#published h3 ~ .scroll tbody tr")
        assert rows.count() == len(RUNGS) + len(KNOWN["published"]["step"])
        assert RUNGS[2][1]["peers"][0]["as_step"] in rows.nth(2).inner_text()
        browser.close()
