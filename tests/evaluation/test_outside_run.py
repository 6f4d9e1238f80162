"""Somebody else's mark in a run: his marked pictures, his detector, our attacks, rows and report."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_run import config, load, quiet, rows_of

from watermark.cli import main
from watermark.errors import UserError
from watermark.evaluation.job import Job
from watermark.evaluation.remeasure import remeasure
from watermark.evaluation.run import run
from watermark.report import build_report
from watermark.report.leaderboard import read_entries
from watermark.schemes.peers import Signature
from watermark.watermarker import Watermarker

BRIGHT = """
import sys
import numpy as np
from PIL import Image

def level(picture):
    return np.asarray(picture.convert("L")).mean()

def bright(picture):
    if level(picture) > 240:
        raise ValueError("too bright to say")
    return level(picture) > 128

def words(picture):
    return "yes"

if __name__ == "__main__":
    sys.exit(0 if bright(Image.open(sys.argv[1])) else 1)
"""


@pytest.fixture
def world(tmp_path):
    """Originals of level 100, but one of 140; marked ones are brighter by 60, one under another suffix, one missing."""
    noise = np.random.default_rng(0).integers(-20, 21, (96, 128, 3))
    for name, level in (("a", 100), ("b", 100), ("c", 140), ("sub/d", 100)):
        for folder, more in (("originals", 0), ("marked", 60)):
            path = tmp_path / folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((level + more + noise).astype(np.uint8)).save(path)
    (tmp_path / "marked/b.png").rename(tmp_path / "marked/b.webp")
    Image.open(tmp_path / "marked/b.webp").save(tmp_path / "marked/b.webp", lossless=True)
    (tmp_path / "marked/sub/d.png").unlink()
    (tmp_path / "bright.py").write_text(BRIGHT)
    return tmp_path


def settings(world, name="function", folder="originals", **changes):
    scheme = {**load("scheme", name), **changes}
    if name == "function":
        scheme["function"] = changes.get("function", f"{world}/bright.py:bright")
    data = {**load("data", "folder"), "path": str(world / folder)}
    return config(world / "runs", schemes={"theirs": scheme}, data=data)


def reported(folder):
    build_report(folder)
    return json.loads((folder / "report.json").read_text())


def test_rows_say_what_the_detector_said_and_no_more(world):
    folder = run(Job(settings(world, marked=str(world / "marked"))), quiet)
    rows = rows_of(folder).to_pandas()
    assert len(rows) == 2 * 4 * 3  # marked or not, pictures, cells
    lost = rows[rows["image"] == "sub/d.png"]
    assert lost[lost["marked"]]["error"].str.contains("expected one picture named d in").all()
    rows = rows[rows["embedded"]]
    assert rows[rows["marked"]]["is_marked"].all()
    assert rows[~rows["marked"]].groupby("image")["is_marked"].all().to_dict() == {
        "a.png": False,
        "b.png": False,
        "c.png": True,
    }
    assert rows[rows["marked"]]["psnr"].between(12, 13).all()  # 60 levels: 12.6 dB
    for column in ("log10_p", "log10_p_expected", "bit_errors", "payload_ok", "decoded_content_id", "logits"):
        assert rows[column].isna().all()
    data = reported(folder)
    (card,) = data["schemes"]
    assert card["outside"]
    assert (card["detection"]["successes"], card["detection"]["n"]) == (6, 6)
    assert (card["false_positives"]["successes"], card["false_positives"]["n"]) == (3, 9)
    assert card["payload"]["n"] == card["unnamed"]["n"] == card["misattribution"]["n"] == 0
    assert data["false_positives"][0]["claim"].startswith("Somebody else's detector: nothing is promised. Counted: 3")
    assert (
        "theirs: somebody else's detector, to which no promise applies; 3 false alarms in 9" in data["verdict"]["small"]
    )
    assert not data["thresholds"]
    assert not data["identification"]["schemes"]
    assert read_entries(folder) == []  # a leaderboard ranks by IDs at a proven rate
    assert "theirs" in (folder / "report.html").read_text()


def test_beside_a_scheme_of_ours_on_the_same_pictures(world):
    both = settings(world, marked=str(world / "marked"))
    both["schemes"]["dwt_dct"] = load("scheme", "dwt_dct")
    data = reported(run(Job(both), quiet))
    cards = {card["scheme"]: card for card in data["schemes"]}
    assert cards["dwt_dct"]["payload"]["n"] > 0
    assert cards["theirs"]["payload"]["n"] == 0
    assert {data["pairwise"][0]["first"], data["pairwise"][0]["second"]} == {"dwt_dct", "theirs"}
    assert [one["scheme"] for one in data["thresholds"]] == ["dwt_dct"]


@pytest.mark.parametrize("name", ["function", "command"])
def test_a_run_does_not_choose_which_program_is_run_by_whoever_measures_it_again(world, name):
    program = {"detector": f"{sys.executable} {world / 'bright.py'}"} if name == "command" else {}
    folder = run(Job(settings(world, name, marked=str(world / "marked"), **program)), quiet)
    with pytest.raises(UserError, match=r"schemes\.theirs.* is not what the configuration of this machine"):
        remeasure(folder, pictures=world / "originals")


OURS = """
from watermark.watermarker import Watermarker

tool = Watermarker.load("dwt_dct", key={key!r}, device="cpu")

def found(picture):
    return tool.detect(picture).is_marked
"""


def test_our_own_mark_asked_as_a_strangers_gives_our_own_rows(world):
    both = settings(world, function=f"{world}/ours.py:found", marked=str(world / "by us"))
    both["schemes"]["dwt_dct"] = load("scheme", "dwt_dct")
    job = Job({**both, "schemes": {"dwt_dct": both["schemes"]["dwt_dct"]}})
    (world / "ours.py").write_text(OURS.format(key=job.key(0)))
    for info in job.images.infos:
        payload, path = job.payload(info), world / "by us" / info.id
        path.parent.mkdir(parents=True, exist_ok=True)
        job.marker("dwt_dct").embed(
            Image.open(world / "originals" / info.id), payload.provider_id, payload.content_id
        ).save(path)
    rows = rows_of(run(Job(both), quiet)).to_pandas()
    names = ["marked", "image", "attack", "is_marked", "psnr", "attack_psnr", "seed"]
    ours, theirs = (rows.loc[rows["scheme"] == name, names].reset_index(drop=True) for name in ("dwt_dct", "theirs"))
    assert ours.equals(theirs)
    assert ours["is_marked"].nunique() == 2


def test_pictures_without_originals_have_no_quality_and_no_negatives(world):
    rows = rows_of(run(Job(settings(world, folder="marked")), quiet)).to_pandas()
    assert rows["marked"].all()
    assert rows["is_marked"].all()
    assert rows["psnr"].isna().all()
    assert rows[rows["attack"] == "jpeg"]["attack_psnr"].notna().all()


def test_what_somebody_else_made_decides_which_run_it_is(world):
    def key():
        return Job(settings(world, marked=str(world / "marked"))).key_hash

    first = key()
    assert key() == first
    shutil.copy(world / "marked/a.png", world / "marked/c.png")
    second = key()
    assert second != first
    (world / "bright.py").write_text(BRIGHT + "\n")
    assert key() != second


def test_a_command_is_a_scheme_of_the_command_line(world, capsys):
    words = ["data=folder", f"data.path={world}/originals", "suite=smoke", "~suite.crop", "~suite.resize", "workers=1"]
    words += ["~suite.gaussian_noise", f"output={world}/runs", "name=mine", f"scheme.marked={world}/marked"]
    assert main(["evaluate", "scheme=command", f"scheme.detector={sys.executable} {world}/bright.py", *words]) == 0
    rows = rows_of(world / "runs" / "mine").to_pandas()
    rows = rows[rows["embedded"]]
    assert rows.groupby("marked")["is_marked"].mean().to_dict() == {True: 1.0, False: pytest.approx(1 / 3)}
    assert "Read by somebody else's detector" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"function": "none.py:bright"}, r"expected FILE\.py:NAME, got none\.py \(no such file\)"),
        ({"function": "no.such.thing"}, "expected a class or function that can be imported"),
        ({"function": "{world}/bright.py:missing"}, "has no attribute 'missing'"),
        ({"function": "{world}/bright.py:words"}, "theirs: no answer to a.png: the function answered 'yes'"),
        ({"marked": "{world}/nowhere"}, "theirs: marked: expected one picture named d in"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_leaves_no_folder(world, changes, said):
    changes = {name: value.format(world=world) for name, value in changes.items()}
    with pytest.raises((UserError, ValueError), match=said):
        run(Job(settings(world, **changes)), quiet)
    assert not (world / "runs").exists()


def test_no_answer_is_a_row_that_says_why(world):
    bright = Image.fromarray(np.full((96, 128, 3), 250, np.uint8))
    bright.save(world / "marked/c.png")
    rows = rows_of(run(Job(settings(world, marked=str(world / "marked"))), quiet)).to_pandas()
    silent = rows[(rows["image"] == "c.png") & rows["marked"]]
    assert (silent["error"] == "ValueError: too bright to say").all()
    assert not silent["is_marked"].any()


class Decoder(torch.nn.Module):
    """In place of Stable Signature's: 48 bits, signs of 6 x 8 blocks' brightness."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), [6, 8]).flatten(1)


@pytest.fixture
def decoder(tmp_path):
    torch.jit.script(Decoder()).save(str(tmp_path / "dec.pt"))
    return str(tmp_path / "dec.pt")


def signed(signature, wrong=0):
    bits = np.array([int(bit) for bit in signature])
    bits[:wrong] ^= 1
    return Image.fromarray(
        (np.kron(bits.reshape(6, 8), np.ones((16, 16)))[..., None] * [90, 90, 90] + 70).astype(np.uint8)
    )


SIGNATURE = "111010110101000001010111010011010100010000100111"


def test_a_signature_is_found_at_the_authors_own_threshold(decoder):
    mark = Signature(decoder, SIGNATURE)
    assert mark.allowed == 7  # 41 of 48 fair coins: 6.4e-7; 40 of 48: 3.5e-6
    for wrong in (0, 7, 8):
        answer = mark.ask(signed(SIGNATURE, wrong))
        assert (answer.wrong_bits, answer.found) == (wrong, wrong <= 7)
    with pytest.raises(UserError, match="12 bits cannot agree at 1e-06"):
        Signature(decoder, "0" * 12)
    with pytest.raises(UserError, match=r"expected \(1, 50\) bits, got \(1, 48\)"):
        Signature(decoder, "01" * 25).ask(signed(SIGNATURE))
    with pytest.raises(UserError, match="expected bits such as 0110"):
        Signature(decoder, "12")


def test_a_signature_gives_bit_accuracy_and_no_ids(world, decoder):
    shutil.rmtree(world / "originals")
    (world / "originals").mkdir()
    signed(SIGNATURE, 3).save(world / "originals/a.png")
    made = settings(world, "signature", file=decoder, signature=SIGNATURE)
    data = reported(run(Job(made), quiet))
    (card,) = data["schemes"]
    plain = next(cell for cell in data["cells"] if cell["attack"] == "identity")
    assert plain["bit_accuracy"] == pytest.approx(45 / 48)
    assert (card["message_bits"], card["payload"]["n"]) == (48, 0)


@pytest.mark.parametrize("name", ["command", "function", "signature"])
def test_what_marks_nothing_is_refused_where_something_is_to_be_marked(name):
    with pytest.raises(UserError, match="marked and read by somebody else; `watermark evaluate` alone takes it"):
        Watermarker.load(name, key="k")


def test_matched_quality_leaves_out_what_has_no_dial(world, capsys):
    words = [f"function={world}/bright.py:bright", f"marked={world}/marked"]
    asked = ["evaluate", "protocol=matched", "scheme=function", *(f"scheme.{word}" for word in words)]
    with pytest.raises(SystemExit):
        main([*asked, "data=folder", f"data.path={world}/originals", f"output={world}/runs"])
    assert "function cannot be brought to psnr 42" in capsys.readouterr().err
