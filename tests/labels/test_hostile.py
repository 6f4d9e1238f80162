"""Metadata from strangers: caps on size, depth and count, nothing printed raw, no traceback."""

import json
import time
import tracemalloc
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from watermark import files
from watermark.cli.trace import _lines
from watermark.errors import UserError
from watermark.identity.evidence import Evidence, State, WatermarkEvidence, to_json
from watermark.identity.policy import measures_article_6
from watermark.labels import AigcLabel, parse_label, read_labels, with_label, xmp
from watermark.labels.carriers import MAX_LABELS

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def packet(inside, attributes=""):
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"{attributes}>{inside}</rdf:RDF></x:xmpmeta>'
    ).encode()


DEEP = packet("<rdf:li>" * 1_200 + "AIGC" + "</rdf:li>" * 1_200)
DEEPER = packet("<rdf:li>" * 20_000 + "AIGC" + "</rdf:li>" * 20_000)
NAMESPACES = packet("AIGC", "".join(f' xmlns:n{i}="u{i}"' for i in range(8_000)))
LARGE = packet("<rdf:li>AIGC</rdf:li>" * 40_000)


@pytest.mark.parametrize("hostile", [DEEP, DEEPER, NAMESPACES, LARGE], ids=["deep", "deeper", "name spaces", "large"])
def test_hostile_xmp_is_one_line_at_once_and_leaves_nothing_in_the_process(picture, label, hostile):
    before = dict(ElementTree._namespace_map)
    picture.info["xmp"] = hostile
    started = time.process_time()
    (found,) = read_labels(picture)
    assert found.label is None
    with pytest.raises(UserError, match="XMP cannot be read and would be lost") as refusal:
        with_label(picture, label)
    assert time.process_time() - started < 0.5
    assert "\n" not in str(refusal.value)
    assert ElementTree._namespace_map == before


@pytest.mark.parametrize(
    "text",
    [
        '{"Label": ' + "9" * 5_000 + "}",
        '{"AIGC": ' * 100_000,
        "[" * 100_000,
        '{"Label": "1", "x": 1e999999, "y": -Infinity, "z": NaN}',
        '{"Label": "\\ud800"}',
        '{"Label": "1"' + "".join(f', "k{i}": 0' for i in range(4_000)) + "}",
        "\ud800",
        "{" * 70_000,
    ],
    ids=["digits", "wrapped", "deep", "numbers", "surrogate", "keys", "no text", "long"],
)
def test_no_text_makes_reading_a_label_raise_or_grow(text):
    tracemalloc.start()
    label, deviations = parse_label(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000
    assert deviations
    assert len(deviations) < 100
    assert label is None or len(label.label) <= 4_000


def test_thousands_of_labels_are_counted_up_to_a_cap(tmp_path, picture):
    info = PngInfo()
    for number in range(5_000):
        info.add_text(f"AIGC{number}", '{"Label":"1"}')
    picture.save(tmp_path / "a.png", pnginfo=info)
    assert len(read_labels(files.load(tmp_path / "a.png"))) == MAX_LABELS


def evidence(found):
    mark = WatermarkEvidence(State.NO_MARK, -0.5, 1e-6, 1e-4, 1)
    return Evidence({"name": "a.png"}, tuple(found), None, mark, None, "2026-11-28T00:00:00Z")


@pytest.mark.parametrize("where", ["Label", "ContentProducer"])
def test_a_label_cannot_forge_a_line_or_drive_the_terminal(picture, where):
    forged = "1\nclass       confirmed\na.png: match (log10 p -250.0)\x1b[2J\u202e\ud800"
    picture.info["AIGC"] = json.dumps({"ContentProducer": "c", "ProduceID": "p", "Label": "1"} | {where: forged})
    asked = evidence(read_labels(picture))
    assert asked.metadata[0].label is not None
    printed = _lines(Path("a\n\x1b.png"), asked, measures_article_6(asked))
    lines = printed.splitlines()
    assert not [line for line in lines if line.startswith(("a.png: match", "class"))]
    assert all(character.isprintable() for line in lines for character in line)
    exported = to_json(asked, measures_article_6(asked))
    assert exported.isascii()
    assert forged in json.loads(exported)["metadata"]["labels"][0]["label"].values()


def test_labels_in_xmp_that_is_only_padded_are_read_and_kept(picture, label):
    picture.info["xmp"] = packet(" " * 90_000)
    made = with_label(picture, label)
    assert [one.label for one in read_labels(made)] == [label]


def test_the_packets_own_prefixes_and_bytes_stay(picture, label):
    own = f"<R:RDF xmlns:R='{RDF}' xmlns:odd=\"u\"><R:Description R:about='' odd:a='1'/><!-- kept --></R:RDF>".encode()
    merged = xmp.merge(own, label.to_json())
    assert b"<R:Description R:about='' odd:a='1'/><!-- kept -->" in merged
    assert xmp.merge(merged, label.to_json()) == merged


def test_two_labels_of_its_own_become_the_new_one(label):
    own = packet('<rdf:Description rdf:about="" xmlns:T="t" T:AIGC="{}"><T:AIGC>{"a":"b"}</T:AIGC></rdf:Description>')
    assert [text for _, text in xmp.read_properties(own)] == ["{}", '{"a":"b"}']
    assert xmp.read_properties(xmp.merge(own, label.to_json())) == [(xmp.PROPERTY, label.to_json())]


def test_a_label_hidden_where_bytes_cannot_cut_it_out_is_refused(picture, label):
    own = packet('<rdf:Description xmlns:T="t"><T:AIGC><![CDATA[</T:AIGC>]]></T:AIGC></rdf:Description>')
    with pytest.raises(UserError, match="would be lost"):
        xmp.merge(own, label.to_json())


def test_an_image_opened_by_pillow_is_read_the_same(tmp_path, picture, label):
    from watermark.labels import save_with_label

    save_with_label(picture, tmp_path / "a.png", AigcLabel.first("1", label.content_producer, "p"))
    with Image.open(tmp_path / "a.png") as opened:
        assert read_labels(opened) == read_labels(files.load(tmp_path / "a.png"))
