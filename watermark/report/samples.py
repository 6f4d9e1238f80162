"""The picture strips: what was marked, where the mark sits, and what the attacks made of it."""

import base64
import io
import logging
from pathlib import Path

import pandas as pd

from watermark.errors import UserError
from watermark.evaluation.parts import own_file, sample_folder
from watermark.evaluation.rows import IDENTITY, Run
from watermark.files import look
from watermark.json_schema import Json

log = logging.getLogger(__name__)

SIDE = 320  # px, long side in the page
PICTURES = 4
ATTACKED = 2
"""Pictures whose attacked versions are shown; every one costs bytes in a page that people mail."""


def samples(run: Run, schemes: list[str]) -> list[Json]:
    """Pictures as data URIs, a few images, natural ones first; empty where the run kept none.

    Args:
        run: the evaluation.
        schemes: in page order.
    """
    images = run.rows.drop_duplicates("image").sort_values("group", ascending=False, kind="stable")
    found: list[Json] = []
    for image, group in zip(images["image"], images["group"], strict=True):
        folders = {scheme: sample_folder(run.path, scheme, str(image)) for scheme in schemes}
        folders = {scheme: folder for scheme, folder in folders.items() if _own(run, folder / "marked.webp")}
        if not folders or len(found) == PICTURES:
            continue
        first = next(iter(folders.values()))
        found.append(
            {
                "image": image,
                "group": group,
                "original": _uri(run, first / "original.webp"),
                "schemes": [_marked(run, image, scheme, folder) for scheme, folder in folders.items()],
                "attacked": _attacked(run, image, folders) if len(found) < ATTACKED else [],
                "maps": _maps(run, image, folders) if len(found) < ATTACKED else [],
            }
        )
    return found


def _marked(run: Run, image: str, scheme: str, folder: Path) -> Json:
    seen = folder / "visibility10.webp"
    rows = run.rows
    own = rows[(rows["image"] == image) & (rows["scheme"] == scheme) & rows["marked"] & rows["psnr"].notna()]
    return {
        "scheme": scheme,
        "marked": _uri(run, folder / "marked.webp"),
        "residual": _uri(run, folder / "residual10.webp"),
        "visibility": _uri(run, seen) if _own(run, seen) else None,
        "psnr": None if own.empty else float(own["psnr"].iloc[0]),
    }


def _attacked(run: Run, image: str, folders: dict[str, Path]) -> list[Json]:
    """One picture per attack, at the middle of its ladder or where it was lost, with every scheme's answer there."""
    scheme, folder = next(((s, f) for s, f in folders.items() if (f / "attacked").is_dir()), (None, None))
    if folder is None:
        return []
    rows = run.rows[(run.rows["image"] == image) & run.rows["marked"] & (run.rows["attack"] != IDENTITY)]
    found = []
    for attack in run.attacks:
        of_attack = rows[rows["attack"] == attack]
        strengths = list(dict.fromkeys(None if s != s else s for s in of_attack["strength"]))
        middle = strengths[len(strengths) // 2] if strengths else None
        if attack in run.axes:  # what the picture looks like when the mark of the scheme shown is lost
            own = of_attack[of_attack["scheme"] == scheme]
            lost = own[~own["is_marked"]]
            middle = _mildest(run, attack, lost if len(lost) else own)
        path = _file(folder / "attacked", attack, strengths, middle)
        if path is None:
            continue
        shown = next(s for s in strengths if path.stem in _stems(attack, s))
        at = of_attack[of_attack["strength"].isna() if shown is None else of_attack["strength"] == shown]
        answers = [
            {"scheme": s, "found": bool(m), "right": bool(p)}
            for s, m, p in zip(at["scheme"], at["is_marked"], at["payload_ok"], strict=True)
        ]
        answers.sort(key=lambda answer: [*folders, *run.schemes].index(answer["scheme"]))
        found.append(
            {"attack": attack, "strength": shown, "picture": _uri(run, path), "shown": scheme, "answers": answers}
        )
    return found


def _maps(run: Run, image: str, folders: dict[str, Path]) -> list[Json]:
    """One picture per edit, at the middle of its ladder, with the map of every scheme there."""
    rows = run.rows[(run.rows["image"] == image) & run.rows["marked"] & run.rows["map_unknown"].notna()]
    found = []
    for attack in (IDENTITY, *run.attacks):
        of_attack = rows[rows["attack"] == attack]
        strengths = list(dict.fromkeys(None if s != s else s for s in of_attack["strength"]))
        if not strengths:
            continue
        strength = strengths[len(strengths) // 2]
        at = of_attack[of_attack["strength"].isna() if strength is None else of_attack["strength"] == strength]
        f1 = {s: None if v != v else float(v) for s, v in zip(at["scheme"], at["map_f1"], strict=True)}
        maps = [
            {"scheme": scheme, "picture": _uri(run, path), "f1": f1.get(scheme)}
            for scheme, folder in folders.items()
            if (path := _file(folder / "map", attack, [strength], strength))
        ]
        shown = [_file(folder / "attacked", attack, [strength], strength) for folder in folders.values()]
        path = next(iter(folders.values())) / "marked.webp" if attack == IDENTITY else next(filter(None, shown), None)
        if maps:
            picture = None if path is None else _uri(run, path)
            found.append({"attack": attack, "strength": strength, "picture": picture, "maps": maps})
    return found


def _mildest(run: Run, attack: str, rows: pd.DataFrame) -> float | None:
    """The strength nearest to the mild end of a searched axis."""
    return min(rows["strength"], key=run.axes[attack].level, default=None)


def _file(folder: Path, attack: str, strengths: list[float | None], middle: float | None) -> Path | None:
    """The file of the middle rung, or of any rung that was kept."""
    for value in [middle, *reversed(strengths)]:
        for stem in _stems(attack, value):
            if (folder / f"{stem}.webp").is_file():
                return folder / f"{stem}.webp"
    return None


def _stems(attack: str, value: float | None) -> list[str]:
    return [f"{attack}-{value}", attack] if value is None else [f"{attack}-{value}", f"{attack}-{value:g}"]


def _own(run: Run, path: Path) -> bool:
    return own_file(run.path, *path.relative_to(run.path).parts) is not None


def _uri(run: Run, path: Path) -> str | None:
    """A small WebP as a data URI; a picture that cannot be read, or lies elsewhere, is left out with a warning."""
    try:
        if not _own(run, path):
            raise UserError("not a file of this run folder")
        small = look(path).convert("RGB")
        small.thumbnail((SIDE, SIDE))
        buffer = io.BytesIO()
        small.save(buffer, "WEBP", quality=82, method=4)
    except (OSError, UserError) as error:
        log.warning("left out of the report: %s: %s", path, error)
        return None
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
