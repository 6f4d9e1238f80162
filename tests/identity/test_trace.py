import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from identity_fakes import FAKE_CODE, KEY_ID, FakeAnswer, FakeMarker, draw
from PIL import Image

from watermark import files
from watermark.cli.trace import _lines
from watermark.errors import UserError
from watermark.identity import Candidate, Request, State, issue, measures_article_6, public, to_json, trace
from watermark.identity.evidence import classifier_from_json
from watermark.identity.policy import load_policy
from watermark.labels import AigcLabel, save_with_label
from watermark.registry import Registry


@pytest.fixture
def released(source, tmp_path, registry, marker):
    record = issue(Request(source, tmp_path / "out.png", 7, draw_visible=False), registry, marker, KEY_ID)
    return tmp_path / "out.png", record


def ask(path, registry, candidates, **options):
    return trace(path, registry, candidates, false_positive_rate=1e-6, **options)


def resave(path, image):
    image.save(path)
    return path


def test_a_released_file_is_a_match_and_its_metadata_agrees(released, registry, candidates):
    evidence = ask(released[0], registry, candidates)
    assert evidence.watermark.state is State.MATCH
    assert evidence.watermark.found.record == released[1]
    assert evidence.metadata_agrees is True
    assert evidence.is_released_file is True


def test_the_same_pixels_without_metadata_are_still_a_match(released, registry, candidates, tmp_path):
    bare = resave(tmp_path / "bare.png", Image.fromarray(np.asarray(Image.open(released[0]))))
    evidence = ask(bare, registry, candidates)
    assert evidence.watermark.state is State.MATCH
    assert evidence.metadata == ()
    assert evidence.metadata_agrees is None
    assert evidence.is_released_file is False
    assert json.loads(to_json(evidence, measures_article_6(evidence)))["watermark"]["is_released_file"] is False


def test_a_mark_copied_onto_another_picture_is_a_hash_mismatch(released, registry, candidates, marker, tmp_path):
    forged = resave(tmp_path / "forged.png", marker.embed(draw(2), 7, released[1].content_id))
    evidence = ask(forged, registry, candidates)
    assert evidence.watermark.state is State.HASH_MISMATCH
    assert evidence.watermark.comparison.distance > 10
    verdict = measures_article_6(evidence)
    assert (verdict.platform_class, verdict.attributed_to, verdict.needs_review) == ("none", None, True)


def test_ids_and_slots_that_are_not_on_record_are_told_apart(registry, candidates, marker, tmp_path):
    unknown_id = resave(tmp_path / "a.png", marker.embed(draw(3), 7, 99))
    unknown_slot = resave(tmp_path / "b.png", marker.embed(draw(3), 8, 99))
    assert ask(unknown_id, registry, candidates).watermark.state is State.UNKNOWN_ID
    assert ask(unknown_slot, registry, candidates).watermark.state is State.SLOT_UNKNOWN
    foreign = [Candidate(marker, ("key-2",), "fake", "l64")]
    assert ask(unknown_id, registry, foreign).watermark.state is State.SLOT_UNKNOWN


def test_the_evidence_says_which_part_carries_the_mark_where_the_scheme_can_tell(
    released, registry, candidates, monkeypatch
):
    assert ask(released[0], registry, candidates).watermark.parts is None
    shares = {"marked": 0.75, "edited": 0.2, "unknown": 0.05}
    monkeypatch.setattr(FakeMarker, "locate", lambda self, image: SimpleNamespace(shares=shares), raising=False)
    evidence = ask(released[0], registry, candidates)
    assert json.loads(to_json(evidence, measures_article_6(evidence)))["watermark"]["parts"] == shares
    assert "edited 20.0 %" in _lines(released[0], evidence, measures_article_6(evidence))


def test_a_mark_too_faint_to_name_anybody_names_nobody(released, registry, candidates, monkeypatch):
    faint = FakeAnswer(True, -6.4, name_uncertain="too faint to say whose ID")
    monkeypatch.setattr(FakeMarker, "detect", lambda self, image: faint)
    evidence = ask(released[0], registry, candidates)
    assert evidence.watermark.state is State.NAME_UNCERTAIN
    assert evidence.watermark.found is None
    verdict = measures_article_6(evidence)
    assert (verdict.attributed_to, verdict.needs_review) == (None, True)
    mark = json.loads(to_json(evidence, verdict))["watermark"]
    assert (mark["provider_id"], mark["registry"], mark["misattribution_rate"]) == (None, None, 1e-4)
    assert mark["name_uncertain"] == "too faint to say whose ID"


def test_strangers_learn_whose_picture_it_is_and_no_number(source, released, registry, candidates, marker, tmp_path):
    record = released[1]
    forged = resave(tmp_path / "forged.png", marker.embed(draw(2), 7, record.content_id))
    assert public(ask(released[0], registry, candidates)) == {
        "answer": "match",
        "producer": record.content_producer,
        "number": record.produce_id,
    }
    assert public(ask(forged, registry, candidates)) == {"answer": "marked, not attributed"}
    assert public(ask(source, registry, candidates)) == {"answer": "no mark"}


def test_a_clean_picture_is_no_mark(source, registry, candidates):
    evidence = ask(source, registry, candidates)
    assert evidence.watermark.state is State.NO_MARK
    assert evidence.watermark.provider_id is None


def test_more_candidates_are_paid_for(released, registry, candidates):
    one, ten = (ask(released[0], registry, candidates * n).watermark for n in (1, 10))
    assert ten.log10_p == pytest.approx(one.log10_p + 1)


def test_a_purged_record_attributes_nothing(released, tmp_path, candidates):
    clock = _later(400)
    registry = Registry(tmp_path / "registry.db", b"registry key", clock)
    with registry._write() as (connection, _):
        connection.exec_driver_sql("DROP TRIGGER records_never_changed")  # it goes by the real clock
    assert registry.purge() == 1
    evidence = ask(released[0], registry, candidates)
    assert evidence.watermark.state is State.UNKNOWN_ID
    assert measures_article_6(evidence).attributed_to is None


def _later(days):
    return lambda: datetime.now(UTC) + timedelta(days=days)


@pytest.mark.parametrize(
    ("metadata", "declared", "marked", "classifier", "expected"),
    [
        (True, None, True, None, "confirmed"),
        (True, None, False, None, "confirmed"),
        (False, True, True, None, "possible"),
        (False, True, False, None, "possible"),
        (False, False, True, None, "suspected"),
        (False, None, True, None, "suspected"),
        (False, None, False, True, "suspected"),
        (False, None, False, False, "none"),
        (False, False, False, None, "none"),
    ],
)
def test_the_policy_maps_each_kind_of_evidence_to_its_class(
    released, registry, candidates, tmp_path, metadata, declared, marked, classifier, expected
):
    image = Image.open(released[0])
    if not marked:
        image = _with_info(draw(1), image.info)
    if not metadata:
        image = _with_info(image, {})
    path = tmp_path / "asked.png"
    files.save(image, path)
    said = None if classifier is None else {"name": "x", "score": 0.5, "is_generated": classifier}
    evidence = ask(path, registry, candidates, declared=declared, classifier=said)
    verdict = measures_article_6(evidence)
    assert verdict.platform_class == expected
    assert verdict.attributed_to == (FAKE_CODE if marked else None)  # declaration and metadata never attribute


def _with_info(image, info):
    copy = image.convert("RGB")
    copy.info = dict(info)
    return copy


def test_metadata_that_names_another_producer_is_called_a_contradiction(released, registry, candidates, tmp_path):
    other = AigcLabel.first("1", FAKE_CODE, "somebody-else")
    save_with_label(files.load(released[0]), tmp_path / "relabelled.png", other)
    evidence = ask(tmp_path / "relabelled.png", registry, candidates)
    assert evidence.metadata_agrees is False
    assert measures_article_6(evidence).needs_review


def test_the_exported_evidence_keeps_the_four_kinds_apart_and_shows_no_key(released, registry, candidates):
    evidence = ask(released[0], registry, candidates, declared=True)
    text = to_json(evidence, measures_article_6(evidence))
    report = json.loads(text)
    assert {"metadata", "declaration", "watermark", "classifier", "verdict"} < set(report)
    assert report["watermark"]["state"] == "match"
    assert report["declaration"] == {"declared": True}
    assert report["classifier"] is None
    assert b"registry key".hex() not in text
    assert "thumbnail" not in text


def test_a_policy_is_named_by_module_and_function_and_anything_else_is_refused():
    assert load_policy("watermark.identity.policy:measures_article_6") is measures_article_6
    for name in ("nowhere:policy", "json:nothing", "watermark.identity.policy:__doc__"):
        with pytest.raises(UserError, match="expected a policy"):
            load_policy(name)


SCORE = '{"name": "x", "score": %s, "is_generated": true}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"name": "x"}',
        "[" * 100_000,
        *(SCORE % score for score in ('"high"', "NaN", "-Infinity", "1e999", "9" * 400)),
    ],
    ids=lambda text: text[:45],
)
def test_a_classifier_answer_of_another_shape_is_refused(text):
    with pytest.raises(UserError, match=r"expected a classifier answer like .*, got ") as refusal:
        classifier_from_json(text)
    assert str(refusal.value).partition(", got ")[2].startswith(text[:80] or "nothing")


@pytest.mark.parametrize(("label", "expected"), [("1", "confirmed"), ("2", "possible"), ("3", "suspected")])
def test_a_label_of_an_earlier_platform_keeps_its_class(source, registry, candidates, tmp_path, label, expected):
    save_with_label(files.load(source), tmp_path / "labelled.png", AigcLabel.first(label, FAKE_CODE, "p"))
    verdict = measures_article_6(ask(tmp_path / "labelled.png", registry, candidates, declared=False))
    assert (verdict.platform_class, verdict.attributed_to) == (expected, None)
