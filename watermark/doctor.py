"""Does everything work on this machine? Each check does the thing itself and says in one line what came of it."""

import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from watermark.catalogue import entries, installed, missing_packages
from watermark.config import config_names, default_names
from watermark.detection import Detection
from watermark.shown import reason
from watermark.watermarker import Watermarker

PROVIDER, CONTENT = 7, 123_456
PACKAGES = ("torch", "numpy", "pillow", "opencv-python-headless", "hydra-core")


@dataclass(frozen=True)
class Check:
    """What came of one check.

    Attributes:
        name: what was tried.
        works: True or False; None for what is only missing, and missed only by who wants it.
        said: the outcome in one line.
        remedy: what to do where it does not work.
    """

    name: str
    works: bool | None
    said: str
    remedy: str | None = None


def checks() -> Iterator[Check]:
    """All checks, one after the other; whatever a check raises is its outcome."""
    yield Check("versions", True, _versions())
    yield _tried("configuration", _configuration, "install robust-watermark again: its configuration is not whole")
    patient = _Patient()
    again = "install robust-watermark again in a new environment, then report it with what this says"
    yield _tried("mark", patient.mark, again)
    if patient.marked is not None:
        yield _tried("read after JPEG 75", patient.read_jpeg, again)
        yield _tried("unmarked picture", patient.read_unmarked, again)
        yield _tried("time", patient.time, again)
        yield from patient.formats()
    yield _browser()
    yield _gpu()
    for entry in entries("extras"):
        yield Check(f"extra {entry.name}", None if missing_packages(entry.name) else True, entry.about)


def verdict(found: list[Check]) -> str:
    """The last line: works, or what to do."""
    broken = [check for check in found if check.works is False]
    if not broken:
        return "works"
    return "does not work: " + "; ".join(f"{check.name}: {check.remedy}" for check in broken)


class _Patient:
    """One bundled photograph, marked, and what it takes to try everything on it."""

    def __init__(self) -> None:
        self.marked: Image.Image | None = None

    def mark(self) -> str:
        from watermark.data.bundled import BundledImages

        self.picture = BundledImages(limit=1).open(0)
        self.marker = Watermarker.load("tile_spread", key="doctor")
        self.marked = self.marker.embed(self.picture, PROVIDER, CONTENT)
        return f"tile_spread on a photograph of {self.picture.width} x {self.picture.height} px"

    def read_jpeg(self) -> str:
        from watermark.files import load, save

        assert self.marked is not None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "marked.jpg"
            save(self.marked, file, quality=75)
            picture = load(file)
        return _own(self.marker.detect(picture))

    def read_unmarked(self) -> str:
        found = self.marker.detect(self.picture)
        if found.is_marked:
            raise ValueError(f"an unmarked picture is called marked (log10 p {found.log10_p:.1f})")
        return f"not marked (log10 p {found.log10_p:.1f})"

    def time(self) -> str:
        """The second time: the first one also loads what is loaded once."""
        start = time.perf_counter()
        marked = self.marker.embed(self.picture, PROVIDER, CONTENT)
        between = time.perf_counter()
        self.marker.detect(marked)
        return f"embed {between - start:.2f} s, detect {time.perf_counter() - between:.2f} s"

    def formats(self) -> Iterator[Check]:
        from watermark.files.formats import FORMATS
        from watermark.files.formats import installed as readable

        for one in FORMATS:
            if not one.writable:
                continue
            name = f"write and read {one.name}"
            if not readable(one):
                what = f"not installed: pip install 'robust-watermark[formats]' ({(one.package or ('',))[0]})"
                yield Check(name, None, what)
            else:
                trip = partial(self._round_trip, one.suffixes[0])
                yield _tried(name, trip, f"install Pillow again; {one.name} files fail")

    def _round_trip(self, suffix: str) -> str:
        from watermark.files import load, save

        assert self.marked is not None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"marked{suffix}"
            save(self.marked, file)
            size, picture = file.stat().st_size, load(file)
        return f"{_own(self.marker.detect(picture))}, {size / 1024:.0f} kB"


def _own(found: Detection) -> str:
    if (found.provider_id, found.content_id) != (PROVIDER, CONTENT):
        raise ValueError(f"the mark is not read (log10 p {found.log10_p:.1f})")
    return f"provider {PROVIDER}, content {CONTENT} (log10 p {found.log10_p:.1f})"


def _tried(name: str, run: Callable[[], str], remedy: str) -> Check:
    try:
        return Check(name, True, run())
    except OSError as error:
        where = error.filename or tempfile.gettempdir()
        return Check(name, False, reason(error), f"make room in {where} and let this user write there, or set TMPDIR")
    except Exception as error:  # whatever is wrong here is what the doctor is asked about
        return Check(name, False, reason(error), remedy)


def _versions() -> str:
    own = f"robust-watermark {installed('robust-watermark') or 'from a clone'}"
    packages = ", ".join(f"{name} {installed(name)}" for name in PACKAGES)
    return f"{own}, Python {platform.python_version()} on {platform.system()} {platform.machine()}, {packages}"


def _configuration() -> str:
    for name in default_names("scheme"):
        Watermarker.load(name, key="doctor", device="cpu")
    counts = {group: len(config_names(group)) for group in ("scheme", "attack", "suite", "layout")}
    if not all(counts.values()):
        raise ValueError(f"a group is empty: {counts}")
    return ", ".join(f"{count} {group}s" for group, count in counts.items())


def _browser() -> Check:
    from watermark.report.browser import find_browser

    found = find_browser()
    if found is None:
        return Check("browser", None, "none found; only `report --pdf` needs one (Debian: apt-get install chromium)")
    return Check("browser", True, found)


def _gpu() -> Check:
    import torch

    if not torch.cuda.is_available():
        return Check("GPU", None, "none; everything runs on the processor")

    def run() -> str:
        Watermarker.load("tile_spread", key="doctor", device="cuda").detect(Image.new("RGB", (256, 256), "grey"))
        return torch.cuda.get_device_name()

    return _tried("GPU", run, "use --device cpu, or install a torch that fits the driver")
