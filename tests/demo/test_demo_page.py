"""The demo in a real browser, in front of a server in this process."""

import threading
import time

import pytest
from PIL import Image
from skimage import data

from watermark.demo.work import Markers
from watermark.report.browser import FLAGS, find_browser

pytest.importorskip("gradio", reason="needs the extra demo")
playwright = pytest.importorskip("playwright.sync_api", reason="needs the dev dependency playwright")
uvicorn = pytest.importorskip("uvicorn", reason="needs the extra demo")
expect, CHROMIUM = playwright.expect, find_browser()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium; on Debian: apt-get install chromium")
PATIENCE = 120_000
"""ms; a busy machine's first page."""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    from watermark.demo.app import make_app

    app = make_app(Markers("a key"), tmp_path_factory.mktemp("demo"), Image.fromarray(data.coffee()[:320, :384]))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = server.force_exit = True
    thread.join()


def test_mark_attack_and_read_on_a_phone_without_a_request_to_anybody_else(address, tmp_path):
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 360, "height": 800})
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        seen = []
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.on("console", lambda one: seen.append(one.text) if one.type == "error" else None)
        own = (address, "blob:" + address, "data:")
        page.on("request", lambda one: None if one.url.startswith(own) else seen.append(one.url))
        page.goto(address)
        answer = page.locator("#answer")
        expect(answer).to_contain_text("marked, provider 7, content 123456 (log10 p -")
        page.get_by_role("button", name="Turned, cut, smaller").click()
        expect(answer).to_contain_text("Undone to read it: turned 5.0 degrees left")
        expect(answer).to_contain_text("marked, provider 7, content 123456")
        expect(page.locator("#attacked")).to_contain_text("Attacked, 240 x 200 px")
        page.evaluate("scrollTo(0, 700)")
        expect(answer).to_be_in_viewport()  # whoever moves a slider sees what it does
        page.get_by_label("Attack the picture without its mark").check()
        expect(answer).to_contain_text("not marked (log10 p 0.0)")
        page.get_by_label("Provider ID").first.fill("99999")
        expect(answer).to_contain_text("provider ID: expected 0 to 4095, got 99999")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert seen == []
        broken = tmp_path / "broken.png"
        broken.write_bytes(b"no picture")
        page.locator("#source input[type=file]").first.set_input_files(broken)
        expect(answer).to_contain_text("broken.png")
        browser.close()
