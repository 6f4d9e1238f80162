import json

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from attacks.collusion import COLLUSIONS
from watermark.cli import main
from watermark.evaluation.forgery_tests import AVERAGED, COLLUDERS, ForgeryTests
from watermark.pixels import to_tensor
from watermark.watermarker import Watermarker


@pytest.fixture(scope="module")
def answers():
    picture = to_tensor(Image.fromarray(data.coffee()))
    squares = torch.cat([picture[..., y : y + 192, x : x + 192] for y in (0, 90, 180) for x in (0, 130, 260, 390)])
    owner, rival = (Watermarker.load("dwt_dct", key=key, target_psnr=40) for key in ("owner", "rival"))
    return list(ForgeryTests("dwt_dct", owner, rival, squares, targets=4, surrogate_steps=2).run())


def answer(answers, test, setting, wants=""):
    (found,) = [a for a in answers if a.test == test and setting in a.setting and wants in a.attacker_wants]
    return found


def test_every_question_has_a_count_and_an_interval_that_holds_it(answers):
    assert {a.test for a in answers} == {"F1", "F2", "F3", "F4", "F5", "F6"}
    for a in answers:
        assert 0 <= a.low <= a.wins / a.n <= a.high <= 1
        assert a.n == 4


def test_amounts_are_numbers_and_answers_that_differ_in_them_alone_are_a_family(answers):
    averages = [a for a in answers if a.test == "F1"]
    assert averages
    for a in averages:
        assert a.setting == a.family.replace(" of n ", f" of {a.amount} ")
        assert a.amount in AVERAGED
    assert {a.amount for a in answers if a.test == "F5"} == set(COLLUDERS)
    assert {a.family.split()[0] for a in answers if a.test == "F5"} == set(COLLUSIONS)
    assert all(a.amount is None and a.family == a.setting for a in answers if a.test in ("F2", "F3", "F4", "F6"))


def test_what_theory_promises_holds(answers):
    assert answer(answers, "F3", "rival's mark alone").wins == 0  # another key's mark is no mark
    assert answer(answers, "F6", "unmarked").wins == 0  # an unmarked picture has no ID, however many are looked up


def test_who_has_the_key_can_forge(answers):
    assert answer(answers, "F4", "decoder with its key").wins == 4  # the known limit of any readable mark, measured


def test_who_has_only_pictures_is_measured_too(answers):
    lost, forged = (answer(answers, "F4", "surrogate", wants) for wants in ("marks lost", "clean pictures detected"))
    assert "right on" in lost.setting
    assert 30 < lost.psnr < 45  # he may change every value by 4/255, and does change most
    assert forged.psnr > 30


def test_the_command_writes_every_answer(tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture = data.coffee()
    for i in range(4):
        Image.fromarray(np.ascontiguousarray(picture[i * 60 : i * 60 + 130, :130])).save(folder / f"{i}.png")
    words = [
        "forgery",
        str(folder),
        "--schemes",
        "dwt_dct",
        "--side",
        "128",
        "--targets",
        "1",
        "--surrogate-steps",
        "1",
    ]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    written = json.loads((tmp_path / "out" / "forgery.json").read_text())
    assert len(written["answers"]) == len(capsys.readouterr().out.splitlines()) > 10
    assert "PHOTOS" in written["command"]
    assert "| dwt_dct | F1 |" not in (tmp_path / "out" / "forgery.md").read_text()  # too few pictures to average
    assert main(["forgery", str(folder), "--side", "4000"]) == 2
    assert "at least 4000 px" in capsys.readouterr().err
