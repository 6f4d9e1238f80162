"""The browser that is installed here: it prints a report as PDF, and takes pictures of pages."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from watermark.errors import UserError
from watermark.files import write_whole
from watermark.shown import shown

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
"""Programs that are looked for, in this order."""


def find_browser() -> str | None:
    """The path of an installed Chromium, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def print_pdf(page: Path, output: Path, *, seconds: float = 120) -> None:
    """Print an HTML file as PDF through the installed browser; the file appears whole or not at all.

    Raises:
        UserError: if there is no browser, or it does not print.
    """
    browser = find_browser()
    if browser is None:
        raise UserError(f"a PDF needs a browser: expected one of {', '.join(BROWSERS)} to be installed, found none")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "page.pdf"
        words = [browser, "--headless", *FLAGS, f"--user-data-dir={folder}/profile", "--no-pdf-header-footer"]
        try:
            subprocess.run(
                [*words, f"--print-to-pdf={made}", page.resolve().as_uri()], capture_output=True, timeout=seconds
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UserError(f"{shown(page)}: {Path(browser).name} did not print it ({type(error).__name__})") from None
        if not made.is_file():
            raise UserError(f"{shown(page)}: {Path(browser).name} did not print it")
        write_whole(output, made.read_bytes(), overwrite=True)
