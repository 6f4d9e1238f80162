"""The page in a real browser, in front of a service that answers in this process."""

import json
import re
import threading
import time
from http.cookiejar import CookieJar

import httpx
import pytest
import uvicorn

from watermark.report.picture import FLAGS, find_browser
from watermark.service.app import make_app
from watermark.service.problems import ProblemError
from watermark.service.settings import Settings

playwright = pytest.importorskip("playwright.sync_api", reason="needs the dev dependency playwright")
expect, CHROMIUM = playwright.expect, find_browser()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium; on Debian: apt-get install chromium")

GIVE = """([bytes, kind]) => {
    const given = new DataTransfer();
    given.items.add(new File([new Uint8Array(bytes)], "a.png", {type: "image/png"}));
    const options = {bubbles: true, cancelable: true, dataTransfer: given, clipboardData: given};
    document.body.dispatchEvent(kind === "paste" ? new ClipboardEvent(kind, options) : new DragEvent(kind, options));
}"""


class OneAddress:
    """Fetches nothing: what the real one refuses is tested beside it."""

    def __init__(self, content):
        self.content = content

    async def fetch(self, url, _limit):
        if url != "https://pictures.example/a.png":
            raise ProblemError(422, "not-fetched", "the address could not be fetched")
        return self.content


@pytest.fixture(scope="module")
def site(world, examiners, tmp_path_factory):
    """Address and journal of a public service that takes at most 300,000 bytes."""
    from service_fakes import InlinePool

    journal = tmp_path_factory.mktemp("journal")
    settings = Settings(world.registry, (world.key_file,), public=True, workers=1, max_bytes=300_000, journal=journal)
    app = make_app(settings, InlinePool(examiners[True]), OneAddress(world.bare))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", journal
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture
def open_page(browser, site):
    """The page, with what the console and other hosts saw in ``seen``, which must stay empty."""
    contexts, seen = [], []

    def make(width=1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, **{"locale": "en-GB", **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.on("console", lambda one: None if "Failed to load resource" in one.text else seen.append(one.text))
        own = (site[0], "blob:" + site[0])
        page.on("request", lambda one: None if one.url.startswith(own) else seen.append(one.url))
        page.goto(site[0])
        expect(page.locator("#limits")).to_contain_text("PNG")
        return page

    yield make
    assert seen == []
    assert all(context.cookies() == [] for context in contexts)
    for context in contexts:
        context.close()


def png(content):
    return {"name": "a.png", "mimeType": "image/png", "buffer": content}


def test_a_chosen_picture_is_answered_in_the_order_that_matters(open_page, world):
    page = open_page()
    page.set_input_files("#file", png(world.marked))
    page.wait_for_selector("#answer:visible")
    assert page.inner_text("#verdict") == f"This picture was issued by {world.record.content_producer}"
    names = page.locator("#facts dt").all_inner_texts()
    assert names[0] == "What this rests on"
    assert names[-2:] == ["How sure this is", "Class by the Chinese Labelling Measures, Article 6"]
    said = page.inner_text("#facts")
    assert "the watermark in the pixels, and a label in the file" in said
    assert "Practically certain" in said
    assert "at most one in 1,000,000,000,000" in said
    assert "p ≤ 10⁻¹²" in said
    assert "confirmed" in said
    assert world.record.produce_id in said
    assert "It agrees with the record." in said
    assert "Nothing found proves nothing" in page.inner_text("#notice")
    assert page.evaluate("document.activeElement.id") == "verdict"
    assert page.evaluate("document.getElementById('preview').naturalWidth") == 256


def test_the_owner_sees_the_map_of_edited_parts(open_page, world, mapped):
    page, said = open_page(), mapped.examine("trace", world.marked).answer
    page.route("**/v1/trace", lambda route: route.fulfill(json=said, headers={"X-Request-ID": "0" * 32}))
    page.set_input_files("#file", png(world.marked))
    page.wait_for_selector("#map")
    assert page.locator("#facts dt").all_inner_texts()[-1] == "Which parts carry the mark"
    assert "Marked 50.0 %, edited 50.0 %" in page.inner_text("#facts")
    expect(page.locator("#map")).to_have_js_property("naturalWidth", 256)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_can_be_dropped_and_pasted(open_page, world, kind):
    page = open_page()
    page.evaluate(GIVE, [list(world.plain), kind])
    page.wait_for_selector("#answer:visible")
    assert page.inner_text("#verdict") == "No mark found"
    assert "at most once in 1,000,000" in page.inner_text("#facts")


def test_an_address_is_asked_about_and_a_wrong_one_is_explained(open_page):
    page = open_page()
    page.fill("#url", "https://pictures.example/a.png")
    page.press("#url", "Enter")
    page.wait_for_selector("#answer:visible")
    assert "was issued by" in page.inner_text("#verdict")
    page.fill("#url", "http://pictures.example/a.png")
    page.press("#url", "Enter")
    assert "begins with https://" in page.inner_text("#problem-text")
    page.fill("#url", "https://pictures.example/missing.png")
    page.press("#url", "Enter")
    expect(page.locator("#problem-text")).to_contain_text("could not be fetched")


def test_broken_and_huge_files_are_explained_and_the_next_one_is_answered(open_page, world):
    page = open_page()
    sent = []
    page.on("request", lambda one: sent.append(one.url))
    for content, text in (
        (b"not a picture", "no picture of a kind that is read here (JPEG, PNG"),
        (world.bare[:3000], "damaged"),
        (b"", "empty"),
        (b"x" * 300_001, "too large: at most 0.2 MB"),
    ):
        page.set_input_files("#file", png(content))
        expect(page.locator("#problem-text")).to_contain_text(text)
    assert len(sent) == 2  # what is empty or too large is not sent
    page.set_input_files("#file", png(world.plain))
    page.wait_for_selector("#answer:visible")
    assert not page.is_visible("#problem")


def test_on_a_slow_network_one_sees_how_far_it_is_and_can_stop(open_page):
    page = open_page()
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 50, "downloadThroughput": 20_000, "uploadThroughput": 20_000}
    network.send("Network.emulateNetworkConditions", slow)
    page.set_input_files("#file", png(b"\x89PNG" + b"x" * 290_000))
    expect(page.locator("#stage")).to_have_text(re.compile(r": [1-9]\d? %"), timeout=20_000)
    page.click("#cancel")
    assert page.inner_text("#problem-text") == "Cancelled. Nothing was kept."
    network.send("Network.emulateNetworkConditions", slow | {"offline": True})
    page.set_input_files("#file", png(b"x"))
    expect(page.locator("#problem-text")).to_contain_text("cannot be reached")


def test_the_keyboard_is_enough_and_feedback_is_kept_without_the_picture(open_page, world, site):
    page = open_page()
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    assert page.evaluate("getComputedStyle(document.getElementById('choose')).outlineStyle") == "solid"
    page.set_input_files("#file", png(world.bare))
    page.wait_for_selector("#answer:visible")
    page.keyboard.press("Tab")
    page.keyboard.type("it is mine")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#thanks")).to_contain_text("Thank you")
    (path,) = site[1].glob("feedback-*.jsonl")
    kept = json.loads(path.read_text().splitlines()[-1])
    assert kept.pop("time")
    assert len(kept.pop("request_id")) == 32
    assert kept == {"verdict": "wrong", "comment": "it is mine"}


def test_a_screen_reader_finds_names_and_states(open_page, world):
    page = open_page()
    before = page.locator("body").aria_snapshot()
    for part in ('heading "Whose picture is this?"', 'button "Choose a picture', 'textbox "or its address"'):
        assert part in before
    page.set_input_files("#file", png(world.bare))
    page.wait_for_selector("#answer:visible")
    after = page.locator("main").aria_snapshot()
    for part in ('region "This picture was issued by', "term: What this rests on", 'group "Is this answer right?"'):
        assert part in after
    assert page.get_attribute("#problem", "role") == "alert"
    assert page.get_attribute("#stage", "role") == "status"


@pytest.mark.parametrize(("locale", "dark"), [("en-GB", False), ("zh-CN", True)])
def test_it_fits_a_phone_in_both_languages_light_and_dark(open_page, world, locale, dark):
    page = open_page(360, locale=locale, color_scheme="dark" if dark else "light")
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) <= 360
    page.set_input_files("#file", png(world.marked))
    page.wait_for_selector("#answer:visible")
    assert page.evaluate(wide) <= 360
    small = (
        "[...document.querySelectorAll('button, .button')].filter(b => b.offsetHeight && b.offsetHeight < 43).length"
    )
    assert page.evaluate(small) == 0  # a finger hits them
    sums = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number).reduce((a, b) => a + b)"
    assert (page.evaluate(sums) < 200) == dark
    assert page.evaluate("document.documentElement.lang") == ("zh-Hans" if dark else "en")
    assert ("由" in page.inner_text("#verdict")) == dark
    page.click("[data-language=en]")
    assert page.inner_text("#verdict").startswith("This picture was issued by")


def test_both_languages_have_every_word(open_page):
    page = open_page()
    keys = page.evaluate("import('/texts.js').then(m => Object.values(m.texts).map(t => Object.keys(t).sort()))")
    assert keys[0] == keys[1]
    used = page.evaluate("[...document.querySelectorAll('[data-text]')].map(one => one.dataset.text)")
    assert set(used) <= set(keys[0])
    holes = page.evaluate(
        "import('/texts.js').then(m => Object.values(m.texts).map("
        "t => Object.keys(t).sort().map(k => (t[k].match(/\\{\\w+\\}/g) || []).sort().join())))"
    )
    assert holes[0] == holes[1]


def test_the_files_of_the_page_are_sent_once(site):
    with httpx.Client(base_url=site[0], cookies=CookieJar()) as client:
        for path in ("/", "/page.js", "/texts.js", "/style.css", "/icon.svg"):
            first = client.get(path)
            assert "default-src 'none'" in first.headers["content-security-policy"]
            assert client.get(path, headers={"if-none-match": first.headers["etag"]}).status_code == 304
