import itertools
import json
from types import SimpleNamespace

import jsonschema
import pytest
import torch
from PIL import Image
from skimage import data

from watermark.cli import forgery, main
from watermark.evaluation import attack_costs as costs
from watermark.evaluation.attack_costs import AttackCost, AttackCostTests, Rung
from watermark.json_schema import to_json
from watermark.pixels import to_tensor
from watermark.report import schema
from watermark.report.sections.security import security
from watermark.watermarker import Watermarker


@pytest.fixture(scope="module")
def measured():
    picture = to_tensor(Image.fromarray(data.coffee()))
    squares = torch.cat([picture[..., y : y + 160, x : x + 160] for y in (0, 120, 240) for x in (0, 200)])
    owner, attacker = (Watermarker.load("dwt_dct", key=key, target_psnr=40) for key in ("owner", "attacker"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"STEPS": 2, "EPSILONS": (2.0,), "FACTORS": (2.0,)}.items():
            patch.setattr(costs, name, value)
        whole = AttackCostTests._cost
        ends = lambda self, said, knows, build, strengths, forges=False: whole(  # noqa: E731
            self, said, knows, build, strengths[:: max(1, len(strengths) - 1)], forges
        )
        patch.setattr(AttackCostTests, "_cost", ends)  # mildest and most severe
        few = {"queries": 12, "query_psnr": [35.0], "surrogate_steps": 1}
        tests = AttackCostTests("dwt_dct", owner, attacker, squares[:3], squares[3:4], **few)
        return {(cost.attack, cost.wants): cost for cost in tests.run()}


def test_every_kind_of_attacker_has_his_price(measured):
    assert {cost.knows for cost in measured.values()} == {costs.PLAIN, costs.ONE, costs.MANY, costs.BOX, costs.ASKS}
    for cost in measured.values():
        assert all(0 <= rung.wins <= rung.n == 1 for rung in cost.rungs)
        assert cost.half is None or 2 * cost.half.wins >= cost.half.n


def test_the_yardsticks_get_dearer_with_strength_and_take_the_mark_off_in_the_end(measured):
    for attack in ("JPEG", "white noise", "noise in the mark's band"):
        rungs = measured[attack, costs.LOST].rungs
        assert [rung.psnr for rung in rungs] == sorted((rung.psnr for rung in rungs), reverse=True)
        assert measured[attack, costs.LOST].half is not None


def test_nobody_forges_without_the_key(measured):
    assert all(rung.wins == 0 for cost in measured.values() if cost.wants == costs.FORGED for rung in cost.rungs)


def test_the_command_keeps_one_row_of_an_attack_that_grows(tmp_path, capsys, monkeypatch):
    for i in range(3):
        Image.fromarray(data.coffee()[i * 60 : i * 60 + 130, :130].copy()).save(tmp_path / f"{i}.png")
    rungs = [Rung(12, wins, n, 40.0) for wins, n in ((1, 1), (1, 2))]
    grown = [AttackCost("dwt_dct", "walk", costs.ASKS, costs.LOST, "queries", (rung,)) for rung in rungs]
    monkeypatch.setattr(AttackCostTests, "walker", lambda self: iter(grown))
    words = ["forgery", str(tmp_path), "--schemes", "dwt_dct", "--side", "128", "--targets", "2", "--costs"]
    assert main([*words, "--attackers", "walks", "--output", str(tmp_path / "out")]) == 0
    assert [line.split("(")[-1] for line in capsys.readouterr().out.splitlines()] == ["1/1)", "1/2)"]
    (row,) = json.loads((tmp_path / "out" / "forgery.json").read_text())["costs"]["rows"]
    assert [rung["n"] for rung in row["rungs"]] == [2]


def test_the_price_is_the_least_damage_at_which_half_go():
    rungs = (Rung(1, 0, 8, 45.0), Rung(2, 4, 8, 40.0), Rung(3, 3, 8, 38.0), Rung(4, 8, 8, 30.0))
    assert AttackCost("s", "a", costs.ONE, costs.LOST, "u", rungs).half == rungs[1]
    assert AttackCost("s", "a", costs.ONE, costs.LOST, "u", rungs[:1]).half is None


def test_who_asks_is_known_after_every_picture_and_each_price_holds_those_before(monkeypatch):
    picture = to_tensor(Image.fromarray(data.coffee()))
    squares = torch.cat([picture[..., y : y + 160, :160] for y in (0, 120, 240)])
    owner, attacker = (Watermarker.load("dwt_dct", key=key, target_psnr=40) for key in ("owner", "attacker"))
    tests = AttackCostTests("dwt_dct", owner, attacker, squares[:1], squares[1:], queries=12, query_psnr=[40.0, 35.0])
    prices = list(tests.run(["asks", "walks"]))
    for wants, attack, pictures in (
        (costs.LOST, "SPSA", [[1], [2], [2, 1], [2, 2]]),
        (costs.FORGED, "SPSA", [[1], [2], [2, 1], [2, 2]]),
        (costs.LOST, "boundary", [[1], [2]]),
    ):
        ours = [cost for cost in prices if cost.wants == wants and cost.attack.startswith(attack)]
        assert [[rung.n for rung in cost.rungs] for cost in ours] == pictures
        assert all(first.same_attack(second) for first, second in itertools.pairwise(ours))
    kinds = [list(same) for _, same in itertools.groupby(prices, lambda cost: (cost.attack, cost.wants))]
    assert not any(one[-1].same_attack(other[0]) for one, other in itertools.pairwise(kinds))


def test_the_command_puts_costs_beside_the_answers(tmp_path, capsys, monkeypatch):
    folder, out = tmp_path / "pictures", tmp_path / "out"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(data.coffee()[i * 60 : i * 60 + 130, :130].copy()).save(folder / f"{i}.png")
    some = lambda self: iter([self._cost("JPEG", costs.PLAIN, costs.Jpeg, (90, 5))])  # noqa: E731
    monkeypatch.setattr(AttackCostTests, "yardsticks", some)
    words = ["forgery", str(folder), "--schemes", "dwt_dct", "--side", "128", "--targets", "1", "--output", str(out)]
    assert main([*words, "--surrogate-steps", "0"]) == 0
    answers = json.loads((out / "forgery.json").read_text())["answers"]
    capsys.readouterr()
    assert main([*words, "--costs", "--attackers", "plain", "--queries", "0", "--query-psnr", "38"]) == 0
    assert "JPEG (plain): marks lost at" in capsys.readouterr().out
    written = json.loads((out / "forgery.json").read_text())
    assert written["answers"] == answers
    assert [row["attack"] for row in written["costs"]["rows"]] == ["JPEG"]  # nothing of the other attackers
    assert written["costs"]["rows"][0]["half"]["strength"] == 5
    assert "--costs --attackers plain --queries 0 --query-psnr 38" in written["costs"]["facts"]["command"]
    assert "| dwt_dct | JPEG | plain | marks lost at" in (out / "forgery.md").read_text()
    for wrong in ("nan", "0", "-3"):
        assert main([*words, "--costs", f"--query-psnr={wrong}"]) == 2
        assert "--query-psnr: expected above 0 and at most 99 dB, got" in capsys.readouterr().err
    assert costs.ATTACKERS == forgery.ATTACKERS  # the verb names them before torch is there
    assert main([*words[:-4], "--targets", "9"]) == 2
    assert "--targets: expected 1 to 2" in capsys.readouterr().err


def test_costs_stand_in_the_report_as_its_schema_says(tmp_path):
    row = {"scheme": "s", "attack": "comb", "knows": costs.ONE, "wants": costs.LOST, "unit": "u"}
    rungs = [{"strength": 0.5, "wins": 0, "n": 4, "psnr": 42.0}, {"strength": 1.0, "wins": 3, "n": 4, "psnr": 38.0}]
    rows = [{**row, "rungs": rungs, "half": rungs[1]}, {**row, "attack": "none", "rungs": rungs[:1], "half": None}]
    content = {"format": 3, "answers": [], "costs": {"facts": {"command": "watermark forgery"}, "rows": rows}}
    (tmp_path / "forgery.json").write_text(json.dumps(content))
    section = to_json(security(SimpleNamespace(path=tmp_path)))
    kinds = schema()["$defs"]
    jsonschema.validate(section, {**kinds["Security"], "$defs": kinds})
    shown = [(row["reached"], row["psnr"], row["wins"]) for row in section["costs"]["rows"]]
    assert shown == [(True, 38.0, 3), (False, 42.0, 0)]
    del content["costs"]["rows"][0]["unit"]
    (tmp_path / "forgery.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="expected the answers of watermark forgery"):
        security(SimpleNamespace(path=tmp_path))


@pytest.mark.parametrize("name", ["tile_spread", "learned"])
def test_a_white_box_climbs_a_reader_that_searches(name):
    picture = to_tensor(Image.fromarray(data.coffee()))[..., 100:196, 100:196]
    scheme = Watermarker.load(name, key="attacker").scheme
    pixels = picture.clone().requires_grad_(True)
    bits, loudness = scheme.climbed(pixels)
    assert bits.shape == (1, scheme.message_bits)
    (slope,) = torch.autograd.grad(loudness.sum(), pixels, retain_graph=True)
    assert scheme.climbed(picture - 1e-2 * slope.sign())[1] < loudness
    (slope,) = torch.autograd.grad(bits[0, 0], pixels)
    assert scheme.climbed(picture + 1e-3 * slope.sign())[0][0, 0] > bits[0, 0]
