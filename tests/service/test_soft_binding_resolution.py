"""The whole loop: issue with a manifest, lose it in a screenshot, and find it again by the pixels."""

import base64
import io
import json
from dataclasses import replace

import pytest
from PIL import Image
from skimage import data

c2pa = pytest.importorskip("c2pa", reason="needs the extra c2pa")
pytest.importorskip("cryptography.x509")
from signing import write_signer  # noqa: E402

from watermark.cli import main  # noqa: E402
from watermark.codec import Layout, Payload  # noqa: E402
from watermark.config import build_named  # noqa: E402
from watermark.errors import UserError  # noqa: E402
from watermark.keystore import KeyFile  # noqa: E402
from watermark.labels import soft_binding  # noqa: E402
from watermark.registry import Registry  # noqa: E402
from watermark.service.examiner import Examiner  # noqa: E402

OWNER, ALG = "org.example", "org.example.dwt_dct.2"
PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def issued(tmp_path_factory):
    """Folder, key and record of a picture issued by the command line with a signed manifest."""
    folder = tmp_path_factory.mktemp("c2pa")
    chain, signer = write_signer(folder)
    Image.fromarray(data.astronaut()[:256, :256]).save(folder / "in.png")
    where = ["--registry", str(folder / "registry.db"), "--key-file", str(folder / "key.json")]
    code = "0011" + "0" * 18 + "10001"
    words = ["issue", str(folder / "in.png"), str(folder / "out.jpg"), "--provider", "7", "--owner", OWNER]
    assert main(["key", "new", str(folder / "key.json")]) == 0
    assert (
        main(["registry", "add-slot", "7", "--code", code, "--scheme", "dwt_dct", "--scheme-version", "2", *where]) == 0
    )
    assert main([*words, "--certificate", str(chain), "--signing-key", str(signer), *where]) == 0
    key = KeyFile.load(folder / "key.json")
    registry = Registry(folder / "registry.db", key.registry_key)
    content_id = json.loads(registry._engine.connect().exec_driver_sql(
        "SELECT body FROM records WHERE kind = 'issue'"
    ).scalar_one())["content_id"]  # fmt: skip
    return folder, key, registry.find(7, content_id).record


@pytest.fixture(scope="module")
def examiner(issued):
    return Examiner(str(issued[0] / "registry.db"), [str(issued[0] / "key.json")], None, True, 1e-6, 1e-4)


@pytest.fixture
def client(ask, issued, examiner):
    from service_fakes import InlinePool

    files = {"registry": str(issued[0] / "registry.db"), "key_files": (issued[0] / "key.json",)}
    return ask(pool=InlinePool(examiner), owner=OWNER, fetcher=Pictures(screenshot(issued[0] / "out.jpg")), **files)


class Pictures:
    def __init__(self, content):
        self.content = content

    async def fetch(self, url, limit, media_type):
        assert media_type == "image/png"
        assert limit == 500_000
        return self.content


def screenshot(path):
    """The pixels alone, as a screen of one and a half dots a pixel shows them."""
    shot, image = io.BytesIO(), Image.open(path).convert("RGB")
    image.resize((384, 384), Image.Resampling.BICUBIC).save(shot, "PNG")
    return shot.getvalue()


def value_of(record):
    payload = Payload(7, record.content_id, 1)
    text = soft_binding.soft_binding_assertion(ALG, Layout(), payload)["blocks"][0]["value"]
    return base64.b64encode(text.encode()).decode()


def test_a_screenshot_leads_back_to_the_manifest_that_was_signed(client, issued):
    folder, _key, record = issued
    assert c2pa.Reader.try_create("image/png", io.BytesIO(screenshot(folder / "out.jpg"))) is None  # it is lost
    answer = client.post("/v1/matches/byContent", content=screenshot(folder / "out.jpg"), headers=PNG)
    (match,) = answer.json()["matches"]
    assert match == {"manifestId": record.c2pa_manifest_id, "similarityScore": 100}
    fetched = client.get(f"/v1/manifests/{match['manifestId']}")
    assert (fetched.status_code, fetched.headers["content-type"]) == (200, "application/c2pa")
    with (folder / "out.jpg").open("rb") as file:
        embedded = json.loads(c2pa.Reader("image/jpeg", file).json())
        file.seek(0)
        reader = c2pa.Reader("image/jpeg", file, fetched.content)  # the fetched one, against the released file
        report = json.loads(reader.json())
    assert report["validation_state"] == embedded["validation_state"] == "Valid"
    assert report["active_manifest"] == embedded["active_manifest"] == match["manifestId"]
    assertions = report["manifests"][match["manifestId"]]["assertions"]
    (binding,) = [one["data"] for one in assertions if one["label"] == soft_binding.ASSERTION]
    assert binding["alg"] == ALG
    assert soft_binding.payload_of(binding, Layout()) == Payload(7, record.content_id, 1)


def test_the_value_of_the_mark_leads_there_too(client, issued):
    record = issued[2]
    expected = {"matches": [{"manifestId": record.c2pa_manifest_id, "similarityScore": 100}]}
    query = {"alg": ALG, "value": value_of(record)}
    assert client.get("/v1/matches/byBinding", params=query).json() == expected
    assert client.post("/v1/matches/byBinding", json=query).json() == expected
    reference = {"referenceUrl": "https://pictures.example/a.png", "assetLength": 500_000, "assetType": "image/png"}
    assert client.post("/v1/matches/byReference", json=reference).json() == expected
    unknown = base64.b64encode(f"56*{7 << 40 | 5:056b}".encode()).decode()
    assert client.get("/v1/matches/byBinding", params={"alg": ALG, "value": unknown}).json() == {"matches": []}


def test_slots_of_one_scheme_may_differ_in_their_layout(issued, tmp_path):
    folder, key, record = issued
    slot = Registry(folder / "registry.db", key.registry_key).slot(7)
    both = Registry(tmp_path / "both.db", key.registry_key)
    for number, layout in ((7, "l64"), (9, "l96")):
        both.add_slot(replace(slot, slot=number, layout=layout))
    (content_id,) = both.content_ids(both.reserve(9, 1))
    other = replace(record, slot=9, content_id=content_id, c2pa_manifest_id="urn:c2pa:other")
    both.record([other], manifests={"urn:c2pa:other": b"manifest"})
    asked = Examiner(str(tmp_path / "both.db"), [str(folder / "key.json")], None, True, 1e-6, 1e-4)

    def found(provider, layout):
        payload = Payload(provider, content_id, 1)
        text = soft_binding.soft_binding_assertion(ALG, build_named("layout", layout), payload)["blocks"][0]["value"]
        return asked.examine("binding", json.dumps({"alg": ALG, "value": text, "owner": OWNER}).encode()).answer

    assert found(9, "l96") == {"matches": [{"manifestId": "urn:c2pa:other", "similarityScore": 100}]}
    assert found(7, "l64") == {"matches": []}
    with pytest.raises(UserError, match="soft binding of this algorithm"):
        asked.examine("binding", json.dumps({"alg": ALG, "value": "1*1", "owner": OWNER}).encode())


def test_an_unmarked_picture_and_a_copied_mark_lead_nowhere(client, issued, examiner, world):
    assert client.post("/v1/matches/byContent", content=world.plain, headers=PNG).json() == {"matches": []}
    marker = examiner.candidates[0].finder
    copied = io.BytesIO()
    marker.embed(Image.fromarray(data.coffee()[:256, :256]), 7, issued[2].content_id).save(copied, "PNG")
    assert client.post("/v1/matches/byContent", content=copied.getvalue(), headers=PNG).json() == {"matches": []}


def test_the_status_codes_are_those_of_the_text(client, issued, world):
    value, reference = value_of(issued[2]), {"referenceUrl": "https://x.example/", "assetLength": 10}
    for status, path, params in (
        (400, "matches/byBinding", {"alg": "org.example.other.1", "value": value}),
        (400, "matches/byBinding", {"alg": ALG, "value": "no base64!"}),
        (400, "matches/byBinding", {"alg": ALG, "value": base64.b64encode(b"56*1").decode()}),
        (400, "matches/byBinding", {"alg": ALG, "value": value, "maxResults": 0}),
        (400, "matches/byBinding", {"alg": ALG}),
        (414, "matches/byBinding", {"alg": ALG, "value": "A" * 2049}),
        (404, "manifests/urn:c2pa:nobody", {}),
        (400, "manifests/a%20b", {}),
    ):
        assert client.get(f"/v1/{path}", params=params).status_code == status, params
    assert client.post("/v1/matches/byBinding", json={"alg": ALG}).status_code == 400
    assert (
        client.post("/v1/matches/byContent", content=b"text", headers={"content-type": "text/plain"}).status_code == 415
    )
    assert client.post("/v1/matches/byContent", content=world.bare[:999], headers=PNG).status_code == 400
    assert client.post("/v1/matches/byContent?alg=x.y.z", content=world.bare, headers=PNG).status_code == 400
    for change in (
        {"referenceUrl": "http://x.example/"},
        {"assetLength": 10**12},
        {"assetType": "video/mp4"},
        {"region": [{}]},
    ):
        assert client.post("/v1/matches/byReference", json=reference | change).status_code == 400, change


def test_the_service_says_what_it_can_and_where(client, ask):
    assert client.get("/v1/services/supportedAlgorithms").json() == {"watermarks": [{"alg": ALG}], "fingerprints": []}
    assert client.get("/v1/services/status").json() == {"status": "ok"}
    found = client.get("/.well-known/c2pa-soft-binding-resolution").json()
    assert found["apiEndpoint"] == "http://localhost/v1"
    said = client.get(found["capabilitiesEndpoint"]).json()
    assert said["supportedCapabilities"] == ["queryByContent", "queryByReference"]
    assert ask().get("/v1/services/supportedAlgorithms").status_code == 404  # without --owner


def test_a_manifest_goes_when_its_record_does(issued, tmp_path):
    from datetime import timedelta

    folder, key, record = issued
    kept = Registry(folder / "registry.db", key.registry_key)
    now = kept._clock()
    old = Registry(tmp_path / "old.db", key.registry_key, lambda: now - timedelta(days=400))
    old.add_slot(kept.slot(7))
    old.reserve(7, 1)
    old.record([record], manifests={record.c2pa_manifest_id: b"manifest"})
    assert old.manifest(record.c2pa_manifest_id) == b"manifest"
    later = Registry(tmp_path / "old.db", key.registry_key)
    assert later.purge() == 1
    assert later.manifest(record.c2pa_manifest_id) is None
    assert later.verify().ok


def test_what_a_manifest_needs_is_said_in_one_line(issued, tmp_path, capsys):
    folder = issued[0]
    words = ["issue", str(folder / "in.png"), str(tmp_path / "out.jpg"), "--provider", "7"]
    words += ["--registry", str(folder / "registry.db"), "--key-file", str(folder / "key.json")]
    pem = ["--certificate", str(folder / "chain.pem"), "--signing-key", str(folder / "signer.pem")]
    for more, said in (
        (pem, "needs --certificate, --signing-key and --owner"),
        ([*pem, "--owner", "Example"], "expected a reversed domain"),
        ([*pem, "--owner", OWNER, "--label", "2"], "expected label 1"),
        ([*pem, "--owner", OWNER, "--signing-algorithm", "ps256"], "could not be signed"),
    ):
        assert main([*words, *more]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out.jpg").exists()
