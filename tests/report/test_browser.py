"""The page in a real browser: no console errors, sorts, filters, shows every plot, fits a phone."""

import subprocess
import sys

import pytest
from PIL import Image

from watermark.report import build_report
from watermark.report.browser import FLAGS, find_browser

playwright = pytest.importorskip("playwright.sync_api", reason="needs the dev dependency playwright")
CHROMIUM = find_browser()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium; on Debian: apt-get install chromium")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture
def tab(browser, run_dir):
    """The page at desktop size, with what the console and the network saw in ``tab.seen``."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.seen = []
    page.on("console", lambda message: page.seen.append(message.text))
    page.on("pageerror", lambda error: page.seen.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else page.seen.append(r.url))
    page.goto((run_dir / "report.html").as_uri())
    yield page
    context.close()


def test_it_opens_quietly_and_shows_every_plot(tab, data):
    plots = tab.locator("svg.plot:visible")
    assert tab.locator("svg.survival:visible").count() == len(data["attacks"])
    assert plots.count() >= len(data["attacks"]) + 2 + 2 * len(data["schemes"])
    boxes = [plots.nth(i).bounding_box() for i in range(plots.count())]
    assert all(box["width"] > 100 and box["height"] > 50 for box in boxes)
    assert all(tab.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)"))
    assert tab.seen == []


def test_the_heat_map_sorts(tab):
    rows = lambda: tab.locator("#heat tbody tr").evaluate_all("all => all.map(r => r.dataset.attack)")  # noqa: E731
    values = lambda: tab.locator("#heat tbody tr td:nth-child(2)").evaluate_all("c => c.map(x => +x.dataset.v)")  # noqa: E731
    before = rows()
    tab.locator("#heat thead th:nth-child(2) button").click()
    assert values() == sorted(values())
    tab.locator("#heat thead th:nth-child(2) button").click()
    assert values() == sorted(values(), reverse=True)
    assert sorted(rows()) == sorted(before)
    tab.locator("#heat thead th:first-child button").click()
    assert rows() == sorted(before)
    assert tab.seen == []


def test_attacks_and_schemes_can_be_filtered(tab):
    tab.fill("#filter", "jpeg")
    assert tab.locator("#heat tbody tr:visible").count() == 1
    assert tab.locator("svg.survival:visible").count() == 1
    tab.fill("#filter", "")
    assert tab.locator("#heat tbody tr:visible").count() == 5
    tab.locator(".chip[data-toggle=fragile]").first.click()
    assert tab.locator(".card:visible").count() == 2
    assert tab.locator("[data-scheme=fragile]:visible").count() == 0
    tab.locator(".chip[data-toggle=fragile]").last.click()
    assert tab.locator(".card:visible").count() == 3
    assert tab.seen == []


def test_metric_and_group_switch_what_is_shown(tab):
    cell = lambda: tab.locator("#heat tbody tr:nth-child(2) td:nth-child(2) .cell:visible")  # noqa: E731
    assert "mark found" in cell().get_attribute("data-tip")
    tab.locator(".seg[data-sets=metric] button[value=payload]").first.click()
    assert "IDs read" in cell().get_attribute("data-tip")
    tab.locator(".seg[data-sets=group] button[value=hard]").first.click()
    assert "hard" in cell().get_attribute("data-tip")
    assert cell().count() == 1


def test_pointing_shows_n_and_interval(tab):
    tab.locator("svg.survival:visible .dot").first.scroll_into_view_if_needed()
    tab.locator("svg.survival:visible .dot").first.hover(force=True)
    assert "95 % interval" in tab.locator("#tip").inner_text()
    assert "n = " in tab.locator("#tip").inner_text()


def test_the_calculator_counts(tab):
    tab.fill("#volume", "9000000")
    tab.select_option("#rate", "1e-4")
    assert tab.locator("#per-day").inner_text() == "900"


def test_it_fits_a_phone_and_works_in_the_dark(browser, run_dir):
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True)
    page = context.new_page()
    page.goto((run_dir / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(int(v) for v in background[4:-1].split(",")) < 150
    assert page.locator(".card").first.bounding_box()["y"] < 844  # the verdict begins on the first screen
    context.close()


OUTSIDE = """all => all.filter(one => {
    const box = one.getBoundingClientRect(), frame = one.closest('figure, td, body').getBoundingClientRect();
    return box.width > 0 && (box.left < frame.left - 1 || box.right > frame.right + 1);
}).map(one => one.textContent)"""


@pytest.mark.parametrize("width", [390, 1280])
def test_no_label_leaves_its_plot_and_no_table_the_page_without_a_scroll_bar(browser, run_dir, width):
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.goto((run_dir / "report.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.locator("svg.plot text:visible").evaluate_all(OUTSIDE) == []
    assert page.locator("table").evaluate_all("all => all.filter(t => !t.closest('.scroll')).length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_on_paper_no_table_is_cut_off_and_the_lines_have_a_legend(browser, run_dir):
    page = browser.new_page(viewport={"width": 700, "height": 1000})  # A4 inside its margins
    page.emulate_media(media="print")
    page.goto((run_dir / "report.html").as_uri())
    folded = page.locator("details:not(.long) table")
    assert folded.count() > 1
    assert folded.evaluate_all("all => all.every(t => t.checkVisibility())")  # nobody unfolds paper
    assert page.locator("table").evaluate_all("all => all.filter(t => t.offsetWidth > 700).length") == 0
    assert page.locator("#curves .key:visible").all_inner_texts() == ["steady", "average", "fragile"]
    page.close()


CUT = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.textContent)"
LEFT = """all => all.filter(one => {
    const card = one.closest('.card').getBoundingClientRect();
    return one.getBoundingClientRect().right > card.right - 8;
}).map(one => one.textContent)"""


@pytest.fixture
def long_names(sim, tmp_path):
    """The page of two schemes whose weakest attacks have names that no line of a card holds."""
    path = sim.simulate(tmp_path / "long", sim.Simulation(photos=4, schemes={"steady": 1.0, "fragile": 0.8}))
    names = {name: f"chain_screenshot_reshare_and_then_{name}_once_more" for name in ("noise", "crop", "jpeg")}
    sim.change_rows(path, lambda row: row.update(attack=names.get(row["attack"], row["attack"])))
    return build_report(path).as_uri()


@pytest.mark.parametrize(("media", "width"), [("print", 700), ("screen", 390), ("screen", 1280)])
def test_no_word_of_a_card_is_cut_off_or_leaves_it(browser, long_names, media, width):
    page = browser.new_page(viewport={"width": width, "height": 1000})
    page.emulate_media(media=media)
    page.goto(long_names)
    assert page.locator(".card .worst em").count() > 3
    words = page.locator(".card dt, .card dd, .card .worst span, .card .worst em, .card .label")
    assert words.evaluate_all(CUT) == []
    assert words.evaluate_all(LEFT) == []
    page.close()


def test_on_paper_the_cards_fit_under_the_head_and_take_the_width(browser, long_names):
    page = browser.new_page(viewport={"width": 700, "height": 1000})  # A4 inside its margins
    page.emulate_media(media="print")
    page.goto(long_names)
    boxes = [card.bounding_box() for card in page.locator(".card").all()]
    assert max(box["y"] + box["height"] for box in boxes) < 1000  # else all of them go to the second page
    assert max(box["x"] + box["width"] for box in boxes) > 690
    page.close()


def test_a_phone_of_360_px_holds_it(browser, run_dir):
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto((run_dir / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    letters = "all => all.filter(one => one.offsetWidth && one.offsetWidth < 80).map(one => one.textContent)"
    names = page.locator(".scroll > table:not(.heat, .security) tr > :first-child")
    assert names.count() > 5
    assert names.evaluate_all(letters) == []  # a name is no column of single letters
    page.close()


def test_the_keyboard_reaches_every_control(browser, run_dir):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto((run_dir / "report.html").as_uri())
    controls = "a[href], button, input, select, summary"
    hidden = "all => all.filter(one => one.offsetParent && one.tabIndex < 0).length"
    assert page.locator(controls).evaluate_all(hidden) == 0
    page.locator("#heat thead th:nth-child(2) button").focus()
    page.keyboard.press("Enter")
    assert page.locator("#heat thead th:nth-child(2)").get_attribute("aria-sort") == "ascending"
    page.close()


def test_it_is_printed_as_pdf(run_dir, tmp_path):
    from watermark.report.browser import print_pdf

    print_pdf(run_dir / "report.html", tmp_path / "report.pdf")
    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page") > 3


def test_a_picture_for_a_readme(run_dir, tmp_path):
    out = tmp_path / "report.png"
    command = [sys.executable, "-m", "watermark.report.picture", str(run_dir / "report.html"), str(out)]
    done = subprocess.run([*command, "--width", "800", "--height", "500", "--dark"], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    with Image.open(out) as image:
        assert image.size == (1600, 1000)
