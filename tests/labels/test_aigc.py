import json

import pytest

from watermark.errors import UserError
from watermark.labels import AigcLabel, ProviderCode, parse_label

FAKE_CODE = "0011" + "0" * 18 + "10001"


def test_a_first_label_has_the_seven_keys_in_their_order_and_repeats_the_producer(label):
    text = label.to_json()
    assert list(json.loads(text)) == [
        "Label",
        "ContentProducer",
        "ProduceID",
        "ReservedCode1",
        "ContentPropagator",
        "PropagateID",
        "ReservedCode2",
    ]
    assert label.content_propagator == label.content_producer
    assert label.propagate_id == label.produce_id
    assert parse_label(text) == (label, [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("4", FAKE_CODE, "p"), 'Label is \'4\', expected "1", "2" or "3"'),
        (("1", "", "p"), "ContentProducer is empty"),
        (("1", FAKE_CODE, "two words"), "ProduceID has characters outside"),
        (("1", "某公司", "p"), "ContentProducer has characters outside"),
        (("1", FAKE_CODE, 'a"b'), "ProduceID has characters outside"),
    ],
)
def test_nothing_outside_the_documented_shape_is_written(arguments, words):
    with pytest.raises(UserError) as refusal:
        AigcLabel.first(*arguments)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "expected", "words"),
    [
        ('{"AIGC":{"Label":"1","ContentProducer":"c","ProduceID":"p"}}', ("1", "c", "p"), ""),
        ('{"AIGC":"{\\"Label\\":\\"2\\",\\"ContentProducer\\":\\"c\\",\\"ProduceID\\":\\"p\\"}"}', ("2", "c", "p"), ""),
        ('{"Label":"AIGC","ContentProducer":"MiniMax","ProduceID":"p"}', ("1", "MiniMax", "p"), 'read as "1"'),
        ('{"Label":1,"ContentProducer":"c","ProduceID":"p"}', ("1", "c", "p"), "Label is not a text"),
        ('{"label":"1","ContentProducer":"c","ProduceID":"p"}', ("1", "c", "p"), "read as Label"),
        ('{"Label":"1","ContentProducer":"c","ProduceID":"p","ReserveCode1":"r"}', ("1", "c", "p"), "ReservedCode1"),
        ('{"Label":"1","ContentProducer":"c","ProduceID":"p","PropatorID":"r"}', ("1", "c", "p"), "PropagateID"),
        ('{"Label":"1","ServiceProvider":"c","ProduceID":"p"}', ("1", "c", "p"), "read as ContentProducer"),
        ('{"Label":"1","ContentProducer":"某 公司","ProduceID":"p"}', ("1", "某 公司", "p"), "characters outside"),
        ('{"Label":"1","ContentProducer":"c"}', ("1", "c", ""), "ProduceID is empty"),
    ],
)
def test_deviations_seen_in_the_wild_are_read_and_named(text, expected, words):
    label, deviations = parse_label(text)
    assert (label.label, label.content_producer, label.produce_id) == expected
    assert words in "; ".join(deviations)
    assert bool(deviations) == bool(words)


@pytest.mark.parametrize("text", ["", "AIGC", "[1]", "{}", '{"AIGC":3}', '{"a":"b"}', '{"AIGC":"x"}', "[" * 9000])
def test_what_is_no_label_is_answered_none_and_why(text):
    label, deviations = parse_label(text)
    assert label is None
    assert deviations


def test_a_provider_code_is_split_into_its_parts_and_written_back():
    parts = ProviderCode.parse(FAKE_CODE)
    assert parts == ProviderCode("1", "1", "0" * 18, "1", "0001")
    assert str(parts) == FAKE_CODE
    assert ProviderCode.parse("0011" + "0" * 23).service_type == "0"


@pytest.mark.parametrize(
    "code",
    [
        "",
        "0" * 26,
        "0" * 28,
        "0111" + "0" * 23,
        "0011" + "0" * 18 + "30001",
        "0011" + "0" * 18 + "00001",
        "0" * 26 + "a",
    ],
)
def test_a_malformed_provider_code_is_refused(code):
    with pytest.raises(UserError, match="expected"):
        ProviderCode.parse(code)
