import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from watermark import files
from watermark.errors import UserError
from watermark.files import metadata
from watermark.labels import AigcLabel, carriers, read_labels, save_with_label, with_label, xmp

FORMATS = ["jpg", "png", "webp", "avif", "tiff"]
OTHER = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmp:CreatorTool="Generator 3" xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"
 TC260:AIGC="{&quot;Label&quot;:&quot;2&quot;}">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">A title</rdf:li></rdf:Alt></dc:title></rdf:Description>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_label_is_read_back_from_every_format(tmp_path, picture, label, suffix):
    path = tmp_path / f"picture.{suffix}"
    digest = save_with_label(picture, path, label)
    (found,) = read_labels(Image.open(path))
    assert (found.carrier, found.label, found.deviations) == ("xmp", label, ())
    assert len(digest) == 64


@pytest.mark.parametrize("suffix", FORMATS)
def test_writing_again_replaces_the_label_and_keeps_all_other_xmp(tmp_path, picture, label, suffix):
    path = tmp_path / f"picture.{suffix}"
    picture.info["xmp"] = OTHER
    save_with_label(picture, path, label)
    second = AigcLabel("1", label.content_producer, label.produce_id, "", "platform", "77")
    save_with_label(files.load(path), path, second, overwrite=True)
    written = Image.open(path)
    assert [one.label for one in read_labels(written)] == [second]
    text = metadata.of(written).xmp.decode()
    assert "A title" in text
    assert "Generator 3" in text


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_plain_save_loses_the_label_which_is_why_pixels_are_marked_too(tmp_path, picture, label, suffix):
    save_with_label(picture, tmp_path / f"picture.{suffix}", label)
    Image.open(tmp_path / f"picture.{suffix}").convert("RGB").save(tmp_path / "again.jpg")
    assert read_labels(Image.open(tmp_path / "again.jpg")) == []


def test_labels_in_every_documented_place_are_read_and_become_one(tmp_path, picture, label):
    wrapped = json.dumps({"AIGC": json.loads(label.to_json())})
    info = PngInfo()
    info.add_text("AIGC", wrapped)
    info.add_itxt("XML:com.adobe.xmp", xmp.merge(None, label.to_json()).decode())
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + wrapped.encode()
    exif[0x010E] = '{"AIGC":{"Label":"1","ServiceProvider":"somebody","ProduceID":"9"}}'
    picture.save(tmp_path / "many.png", pnginfo=info, exif=exif)
    found = read_labels(Image.open(tmp_path / "many.png"))
    assert [one.carrier for one in found] == ["xmp", "png text", "exif ImageDescription", "exif UserComment"]
    assert [one.label.content_producer for one in found] == [label.content_producer] * 2 + [
        "somebody",
        label.content_producer,
    ]
    save_with_label(files.load(tmp_path / "many.png"), tmp_path / "one.png", label)
    assert [one.carrier for one in read_labels(Image.open(tmp_path / "one.png"))] == ["xmp"]


def test_other_exif_stays_when_a_label_in_it_is_replaced(tmp_path, picture, label):
    exif = Image.Exif()
    exif[0x010F] = "Camera maker"
    exif[0x010E] = '{"AIGC":{"Label":"1","ContentProducer":"somebody","ProduceID":"9"}}'
    picture.save(tmp_path / "in.jpg", exif=exif)
    save_with_label(files.load(tmp_path / "in.jpg"), tmp_path / "out.jpg", label)
    kept = Image.open(tmp_path / "out.jpg").getexif()
    assert kept[0x010F] == "Camera maker"
    assert 0x010E not in kept


def test_the_written_property_has_the_documented_name(picture, label):
    packet = metadata.of(with_label(picture, label)).xmp.decode()
    assert 'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"' in packet
    assert "<TC260:AIGC>" in packet
    assert "xmp" not in picture.info  # the picture given is left alone


def test_a_label_under_another_namespace_is_read_and_named(picture):
    packet = xmp.merge(None, '{"Label":"1","ContentProducer":"c","ProduceID":"p"}').replace(b"/ns/AIGC/1.0/", b"/ns/x/")
    picture.info["xmp"] = packet
    (found,) = read_labels(picture)
    assert found.label.produce_id == "p"
    assert "expected {http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC" in found.deviations[0]


@pytest.mark.parametrize(
    "packet",
    [
        b"<broken AIGC",
        b"\xff\xfeAIGC",
        b'<!DOCTYPE a [<!ENTITY b "AIGC"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>',
        b"<a>AIGC</a>",
    ],
)
def test_broken_or_hostile_xmp_is_never_followed_and_never_silently_lost(picture, label, packet):
    picture.info["xmp"] = packet
    found = read_labels(picture)
    assert all(one.label is None for one in found)
    with pytest.raises(UserError, match="XMP cannot be read and would be lost"):
        with_label(picture, label)


def test_a_format_without_a_place_for_the_label_is_refused(tmp_path, picture, label):
    with pytest.raises(UserError, match=r"no place for a metadata label in \.bmp"):
        save_with_label(picture, tmp_path / "picture.bmp", label)


def test_a_label_that_would_be_lost_in_writing_is_said_and_nothing_is_written(tmp_path, picture, label, monkeypatch):
    encode = files.encode
    monkeypatch.setattr(
        carriers.files, "encode", lambda image, *rest: encode(metadata.with_metadata(image, metadata.Metadata()), *rest)
    )
    with pytest.raises(UserError, match=r"did not survive writing \(0 found"):
        save_with_label(picture, tmp_path / "picture.png", label)
    assert not (tmp_path / "picture.png").exists()
