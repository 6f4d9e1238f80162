"""API v1, with the real examiner in this process."""

import base64
import io
from dataclasses import fields

import pytest
from PIL import Image
from service_fakes import InlinePool

from watermark.detection import Detection, PublicAnswer
from watermark.service import answers

PNG = {"content-type": "image/png"}


def test_a_stranger_hears_whose_picture_it_is_and_no_measure(ask, world):
    client = ask()
    traced = client.post("/v1/trace", content=world.bare, headers=PNG).json()
    assert traced["answer"] == "match"
    assert (traced["producer"], traced["number"]) == (world.record.content_producer, world.record.produce_id)
    assert traced["rests_on"] == ["watermark"]
    assert traced["measures_class"] == "suspected"
    assert traced["at_most_one_in"] == 10**12
    detected = client.post("/v1/detect", files={"file": ("x.png", world.bare, "image/png")}).json()
    assert (detected["provider_id"], detected["content_id"]) == (7, world.record.content_id)
    for said in (traced, detected):
        assert "proves nothing" in said["notice"]
        assert not {"log10_p", "log10_doubt", "corrected", "readings", "evidence"} & set(said)


def test_metadata_and_watermark_are_told_apart(ask, world):
    client = ask()
    both = client.post("/v1/trace", content=world.marked, headers=PNG).json()
    assert both["rests_on"] == ["watermark", "metadata"]
    assert both["metadata_agrees"] is True
    assert both["measures_class"] == "confirmed"
    neither = client.post("/v1/trace", content=world.plain, headers=PNG).json()
    assert (neither["answer"], neither["rests_on"], neither["at_most_one_in"]) == ("no mark", [], None)


def test_the_owner_gets_the_whole_detection_and_the_evidence(ask, world, examiners):
    client = ask(public=False)
    said = client.post("/v1/detect", content=world.bare, headers=PNG).json()
    found = examiners[False].candidates[0].finder.detect(Image.open(io.BytesIO(world.bare)))
    assert {field.name: said[field.name] for field in fields(Detection)} == pytest.approx(vars(found))
    traced = client.post("/v1/trace", content=world.bare, headers=PNG).json()
    assert traced["evidence"]["watermark"]["content_id"] == world.record.content_id
    assert traced["log10_p"] == pytest.approx(traced["evidence"]["watermark"]["log10_p"], abs=1e-3)


def test_the_owner_gets_the_map_of_the_parts_and_a_stranger_none(ask, world, examiners, mapped, monkeypatch):
    said = ask(public=False).post("/v1/trace", content=world.bare, headers=PNG).json()
    assert said["parts"] == said["evidence"]["watermark"]["parts"] == {"marked": 0.5, "edited": 0.5, "unknown": 0}
    drawn = Image.open(io.BytesIO(base64.b64decode(said["map"])))
    assert (drawn.format, drawn.size) == ("WEBP", (256, 256))
    monkeypatch.setattr(examiners[True], "candidates", mapped.candidates)
    told = ask().post("/v1/trace", content=world.bare, headers=PNG).json()
    assert told["answer"] == "match"
    assert not {"parts", "map"} & set(told)


def test_the_schemas_are_those_of_the_library():
    own = {"notice"}
    assert set(answers.PublicDetection.model_fields) - own == {field.name for field in fields(PublicAnswer)}
    assert set(answers.OwnerDetection.model_fields) - own == {field.name for field in fields(Detection)}


def _huge_png(side):
    content = io.BytesIO()
    Image.new("1", (side, side)).save(content, "PNG")
    return content.getvalue()


def test_what_is_no_picture_is_told_in_one_line_and_never_a_500(ask, world):
    client = ask(max_bytes=200_000, fetch=False)
    for status, content, headers in (
        (400, b"", PNG),
        (415, b"hello", PNG),
        (415, b'{"a": 1}', PNG),
        (415, world.bare, {"content-type": "text/plain"}),
        (415, b'{"url": "https://example.org/x.png"}', {"content-type": "application/json"}),
        (422, world.bare[:2000], PNG),
        (413, b"x" * 200_001, PNG),
        (413, _huge_png(7_100), PNG),
        (400, b"--b\r\nnonsense", {"content-type": "multipart/form-data; boundary=b"}),
        (400, b"x", {"content-type": "multipart/form-data"}),
    ):
        answer = client.post("/v1/trace", content=content, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.json()["detail"].splitlines()) == 1
    assert client.post("/v1/trace", files={"other": world.bare}).status_code == 400
    for too_much in (200_001, 300_000):  # a form may be larger than its file: the bound that is told is the file's
        answer = client.post("/v1/trace", files={"file": b"x" * too_much})
        assert (answer.status_code, answer.json()["detail"]) == (413, "expected at most 200,000 bytes")
    assert client.get("/v1/nothing").status_code == 404


def _part(headers, content=b"x"):
    return b"--b\r\n" + headers + b"\r\n\r\n" + content + b"\r\n"


FORM = {"content-type": "multipart/form-data; boundary=b"}
NAMED = b'Content-Disposition: form-data; name="file"; filename="a.png"'
JSON = {"content-type": "application/json"}
BODIES = {
    "ten thousand parts": (FORM, _part(b'Content-Disposition: form-data; name="x"') * 10_000 + b"--b--"),
    "ten thousand files": (FORM, _part(NAMED) * 10_000 + b"--b--"),
    "a long header": (FORM, _part(NAMED + b"; x=" + b"y" * 60_000) + b"--b--"),
    "many headers": (FORM, _part(NAMED + b"\r\nX: y" * 5000) + b"--b--"),
    "no name": (FORM, _part(b"Content-Disposition: form-data") + b"--b--"),
    "no header": (FORM, _part(b"") + b"--b--"),
    "no end": (FORM, _part(NAMED)),
    "a name that leads out": (FORM, _part(NAMED.replace(b"a.png", b"../../../etc/passwd\0")) + b"--b--"),
    "a field in a field": (FORM, _part(NAMED + b"\r\nContent-Type: multipart/mixed; boundary=c") + b"--b--"),
    "another character set": (
        {"content-type": "multipart/form-data; charset=utf-77; boundary=b"},
        _part(NAMED) + b"--b--",
    ),
    "a long boundary": ({"content-type": "multipart/form-data; boundary=" + "b" * 5000}, b"--b"),
    "no boundary": ({"content-type": 'multipart/form-data; boundary=""'}, b"--b"),
    "not an address": (JSON, b'{"url": 5}'),
    "half a letter": (JSON, b'{"url": "https://\\ud800/"}'),
    "nested": (JSON, b"[" * 60_000),
    "digits": (JSON, b'{"url": ' + b"9" * 6000 + b"}"),
    "a file": (JSON, b'{"url": "file:///etc/passwd"}'),
    "this machine": (JSON, b'{"url": "https://127.1/"}'),
    "this machine, in hexadecimal": (JSON, b'{"url": "https://0x7f000001/"}'),
    "this machine, in octal": (JSON, b'{"url": "https://0177.0.0.1/"}'),
    "this machine, of IPv6": (JSON, b'{"url": "https://[::ffff:7f00:1]/"}'),
    "the cloud's": (JSON, b'{"url": "https://169.254.169.254/latest/meta-data"}'),
    "a zone": (JSON, b'{"url": "https://[fe80::1%25lo]/"}'),
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_that_nobody_should_send_is_told_what_is_wrong(ask, kind):
    from watermark.service.fetching import Fetcher

    headers, content = BODIES[kind]
    answer = ask(fetcher=Fetcher()).post("/v1/detect", content=content, headers=headers)
    assert answer.status_code in (400, 413, 415, 422), answer.text
    assert len(answer.json()["detail"].splitlines()) == 1


JSON_ROUTES = ["/v1/feedback", "/v1/matches/byBinding", "/v1/matches/byReference"]


def endless(seen):
    """A question in JSON that never ends, and how much of it was taken."""
    yield b'{"value": "'
    while len(seen) < 400:
        seen.append(2**20)
        yield b"A" * 2**20


@pytest.mark.parametrize("path", JSON_ROUTES)
def test_a_question_without_end_is_not_held_in_memory(ask, path, monkeypatch):
    from watermark.service import uploads

    monkeypatch.setattr(uploads, "DRAINED", 2**22)
    seen, held = [], []
    monkeypatch.setattr(InlinePool, "run", lambda self, kind, content: held.append(content))
    answer = ask(owner="org.example").post(path, content=endless(seen), headers=JSON)
    assert answer.status_code == 413, answer.text
    assert not held
    exact = ask(owner="org.example").post(path, content=b" " * 2**16, headers=JSON)
    assert exact.status_code == 400  # as long as may be, and no question


def test_a_page_elsewhere_may_ask_a_public_service_and_no_other(ask, world):
    asked = {"origin": "https://pages.example", "access-control-request-method": "POST"}
    asked["access-control-request-headers"] = "content-type"
    for path in ("/v1/trace", "/v1/matches/byContent"):
        before = ask(owner="org.example").options(path, headers=asked)
        assert before.status_code == 200, before.text
        assert "POST" in before.headers["access-control-allow-methods"]
    assert "access-control-allow-origin" not in ask(public=False).options("/v1/trace", headers=asked).headers


def test_only_who_shows_the_token_is_answered(ask, world):
    client = ask(public=False, token="t" * 20)
    assert client.post("/v1/detect", content=world.plain, headers=PNG).status_code == 401
    assert client.get("/v1/about", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/metrics").status_code == 401
    right = {"authorization": "Bearer " + "t" * 20}
    assert client.get("/v1/about", headers=right).json()["public"] is False
    assert "watermark_requests" in client.get("/metrics", headers=right).text
    assert client.get("/health").status_code == client.get("/ready").status_code == 200


def test_with_public_answers_the_token_guards_the_metrics_alone(ask, world):
    client = ask(public=True, token="t" * 20)
    assert client.post("/v1/detect", content=world.bare, headers=PNG).status_code == 200
    assert client.get("/metrics").status_code == 401


def test_a_page_whose_name_means_this_machine_hears_no_evidence(ask, world):
    evil = {**PNG, "host": "evil.example:8000"}
    assert ask(public=False).post("/v1/detect", content=world.bare, headers=evil).status_code == 401
    assert ask(public=True).post("/v1/detect", content=world.bare, headers=evil).status_code == 200


def test_without_a_token_the_metrics_are_for_this_machine_only(ask):
    assert ask().get("/metrics").status_code == 401
    assert ask(client=("127.0.0.1", 1)).get("/metrics").status_code == 200


def test_ready_says_no_where_the_registry_is_away(ask, tmp_path):
    assert ask(registry=str(tmp_path / "gone.db")).get("/ready").status_code == 503


def test_a_client_may_ask_so_often_and_no_more(ask, world):
    client = ask(rate=3)
    statuses = [client.post("/v1/detect", content=b"x", headers=PNG) for _ in range(4)]
    assert [answer.status_code for answer in statuses] == [415, 415, 415, 429]
    assert int(statuses[-1].headers["retry-after"]) >= 1


def test_a_client_may_not_walk_along_the_boundary(ask, world):
    client = ask(near_copies=2)
    image = Image.open(io.BytesIO(world.bare))
    said = []
    for quality in (90, 80, 70):
        content = io.BytesIO()
        image.save(content, "JPEG", quality=quality)
        said.append(client.post("/v1/detect", content=content.getvalue(), headers={"content-type": "image/jpeg"}))
    assert [answer.status_code for answer in said] == [200, 200, 429]
    assert said[-1].json()["title"] == "too-alike"
    assert client.post("/v1/detect", content=world.plain, headers=PNG).status_code == 200


def test_too_many_uploads_at_once_are_refused_before_they_are_read(ask, world):
    client = ask(queue=0, workers=0)
    answer = client.post("/v1/detect", content=world.plain, headers=PNG)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


def test_the_journal_holds_answers_and_feedback_and_nothing_of_the_picture(ask, world, tmp_path):
    client = ask(journal=tmp_path / "journal", public=False)
    answer = client.post("/v1/trace", content=world.marked, headers=PNG)
    number = answer.headers["x-request-id"]
    given = {"request_id": number, "verdict": "wrong", "comment": "it is mine"}
    assert client.post("/v1/feedback", json=given).status_code == 204
    assert client.post("/v1/feedback", json=given | {"verdict": "maybe"}).status_code == 400
    assert client.post("/v1/feedback", json=given | {"comment": "x" * 1001}).status_code == 400
    kept = {path.name.split("-")[0]: path.read_text() for path in (tmp_path / "journal").iterdir()}
    assert number in kept["answers"]
    assert number in kept["feedback"]
    for secret in (str(world.record.content_id), world.record.produce_id, world.key.key_id, "192.0.2.1"):
        assert secret not in kept["answers"] + kept["feedback"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "journal").iterdir())
    assert ask().post("/v1/feedback", json=given).status_code == 404


def test_a_journal_that_cannot_be_kept_costs_nobody_his_answer(ask, world, tmp_path, monkeypatch):
    client = ask(journal=tmp_path / "journal", public=False)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("watermark.service.journal.os.open", full)
    answer = client.post("/v1/detect", content=world.marked, headers=PNG)
    assert answer.json()["is_marked"]
    given = {"request_id": answer.headers["x-request-id"], "verdict": "wrong"}
    answer = client.post("/v1/feedback", json=given)
    assert (answer.status_code, answer.json()["title"]) == (503, "not-kept")


def test_an_unexpected_error_says_nothing_but_that(ask):
    class Broken:
        def examine(self, kind, content):
            raise RuntimeError("a secret")

    from service_fakes import InlinePool

    answer = ask(pool=InlinePool(Broken())).post("/v1/detect", content=b"x", headers=PNG)
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_other_pages_may_ask_a_public_service_and_only_that(ask):
    origin = {"origin": "https://example.org"}
    assert ask().get("/v1/about", headers=origin).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in ask(public=False).get("/v1/about", headers=origin).headers
