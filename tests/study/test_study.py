"""A study from the page to d': the page in a real browser, the numbers against what is known."""

import json
import math

import numpy as np
import pytest
from PIL import Image
from skimage import data

from watermark.cli import main
from watermark.report.browser import FLAGS, find_browser
from watermark.study.analysis import Answer, grouped, overall, sensitivity


def answered(person, right, total=10, study="s"):
    sides = ["left"] * right + ["right"] * (total - right)
    answers = [{"picture": f"{i}", "marked": "left", "chosen": side, "seconds": 1} for i, side in enumerate(sides)]
    return json.dumps({"study": study, "person": person, "answers": answers})


def test_d_prime_of_known_shares():
    assert sensitivity(7602, 10_000).d_prime == pytest.approx(1, abs=0.01)  # d' 1 is 76 % right
    assert sensitivity(5000, 10_000).d_prime == pytest.approx(0, abs=0.01)
    assert sensitivity(10, 10).high == math.inf
    assert 0 < sensitivity(10, 10).low < sensitivity(10, 10).d_prime < 3


def test_the_interval_knows_that_people_differ():
    """Six see everything, six guess: as independent answers that would be a narrow interval."""
    rng = np.random.default_rng(0)
    answers = [Answer(f"p{p}", f"{i}", p < 6 or rng.random() < 0.5) for p in range(12) for i in range(40)]
    whole, alone = overall(answers), sensitivity(sum(one.right for one in answers), len(answers))
    assert whole.high - whole.low > 2 * (alone.high - alone.low)
    assert whole.low < whole.d_prime < whole.high
    assert next(iter(grouped(answers, "person"))) in {f"p{p}" for p in range(6)}


def test_where_all_are_right_the_interval_is_not_empty():
    whole = overall([Answer("p", f"{i}", True) for i in range(5)])
    assert whole.low < whole.d_prime < whole.high


def many(pictures, repeats=1):
    one = [{"picture": f"{i}", "marked": "left", "chosen": "left"} for i in range(pictures)]
    return json.dumps({"study": "s", "person": "many", "answers": one * repeats})


@pytest.mark.parametrize(("text", "said"), [(many(1001), "at most 1000 pictures"), (many(10, 1001), "at most 10000")])
def test_answers_by_the_hundred_thousand_take_no_minutes(tmp_path, capsys, text, said):
    (tmp_path / "a.json").write_text(text)
    assert main(["study", "analyse", str(tmp_path / "a.json")]) == 2
    assert said in capsys.readouterr().err


def test_ten_thousand_answers_of_one_person_are_analysed(tmp_path, capsys):
    (tmp_path / "a.json").write_text(many(200, 50))
    assert main(["study", "analyse", str(tmp_path / "a.json")]) == 0
    told = capsys.readouterr().out
    assert "10000 of 10000 right" in told
    person, picture = (next(line for line in told.splitlines() if f"  {kind}" in line) for kind in ("person", "pict"))
    assert person.index("10000 of") == picture.index("50 of")  # under each other


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "expected the answers that a page"),
        ("[1]", "expected the answers that a page"),
        (answered("b", 5, study="t"), "expected answers to study s, got t"),
        (answered("a", 5), "a second one of a"),
        ("nonsense", "got no JSON"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, capsys, text, said):
    (tmp_path / "a.json").write_text(answered("a", 7))
    (tmp_path / "b.json").write_text(text)
    assert main(["study", "analyse", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 2
    assert said in capsys.readouterr().err


def test_a_person_answers_in_the_browser_and_the_file_is_analysed(tmp_path, capsys, caplog):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the dev dependency playwright")
    if find_browser() is None:
        pytest.skip("needs a Chromium; on Debian: apt-get install chromium")
    (tmp_path / "photos").mkdir()
    for i in range(2):
        Image.fromarray(data.chelsea()[:128, 128 * i : 128 * i + 128]).save(tmp_path / f"photos/{i}.png")
    words = ["study", "page", str(tmp_path / "photos"), "--output", str(tmp_path / "study.html"), "--repeats", "3"]
    assert main([*words, "--scheme", "dwt_dct"]) == 0
    assert "2 pictures, 6 questions" in capsys.readouterr().out
    assert not caplog.records  # of a missing key: nobody will read these marks
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        page = browser.new_page(viewport={"width": 360, "height": 740}, device_scale_factor=2)
        page.set_default_timeout(60_000)
        seen = []
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.on(
            "request", lambda one: None if one.url.startswith(("file:", "data:", "blob:")) else seen.append(one.url)
        )
        page.goto((tmp_path / "study.html").as_uri())
        marked = {one["marked"] for one in json.loads(page.inner_text("#data") or page.text_content("#data"))["pairs"]}
        page.fill("#person", "Anna B.")
        page.keyboard.press("Enter")
        right = 0
        for number in range(6):
            page.wait_for_function(f"document.getElementById('progress').textContent.startsWith('{number + 1} of')")
            page.wait_for_selector("#pair:not(.blank)")
            right += page.get_attribute("#pair button:first-child img", "src") in marked
            assert page.evaluate("document.querySelector('#pair img').width") == 64  # 128 px on a screen of two
            page.keyboard.press("ArrowLeft")
        with page.expect_download() as download:
            page.get_by_role("link", name="Save the answers").click()
        download.value.save_as(tmp_path / "anna.json")
        assert download.value.suggested_filename == "answers-Anna_B_.json"
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert seen == []
        browser.close()
    assert main(["study", "analyse", str(tmp_path / "anna.json"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["overall"]["right"], told["overall"]["n"]) == (right, 6)
    assert {name[:1] for name in told["pictures"]} == {"1", "2"}
