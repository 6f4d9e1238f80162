"""A picture of a report's first screen, for a README.

``python -m watermark.report.picture RUN/report.html OUT.png``; needs a Chromium and the dependency group dev.
"""

import argparse
from pathlib import Path

from watermark.report.browser import BROWSERS, FLAGS, find_browser


def picture(report: Path, output: Path, width: int = 1280, height: int = 900, dark: bool = False) -> Path:
    """Draw the top of a page into a PNG.

    Args:
        report: a ``report.html``.
        output: PNG file to write.
        width: of the window, CSS pixels; the file has twice as many.
        height: likewise.
        dark: the dark colours.

    Raises:
        RuntimeError: if there is no Chromium or no playwright (dependency group dev).
    """
    browser_path = find_browser()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise RuntimeError("a picture of a report needs playwright: install the dependency group dev") from None
    if browser_path is None:
        raise RuntimeError(f"a picture of a report needs a Chromium, found none of {', '.join(BROWSERS)}")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=list(FLAGS))
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            device_scale_factor=2,
        )
        page.set_default_timeout(120_000)  # ms; half a minute is too little on a busy machine
        page.goto(report.resolve().as_uri())
        page.screenshot(path=output)
        browser.close()
    return output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--dark", action="store_true")
    args = parser.parse_args()
    picture(args.report, args.output, args.width, args.height, args.dark)


if __name__ == "__main__":
    main()
