"""Folders of pictures: what is looked at, what is not and why, and which file each picture would become."""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from watermark.errors import UserError
from watermark.files import formats
from watermark.shown import shown, to_install


def find_pictures(folder: Path) -> Iterator[Path]:
    """Every picture below a folder by suffix, in a fixed order; hidden files and folders are passed over."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in formats.readable() and not _hidden(path, folder) and path.is_file():
            yield path


def passed_over(folder: Path) -> dict[str, int]:
    """What below a folder ``find_pictures`` does not look at, by suffix or kind; hidden files are nobody's business."""
    kinds: Counter[str] = Counter()
    for path in folder.rglob("*"):
        suffix = path.suffix.lower()
        if _hidden(path, folder):
            continue
        if path.is_symlink() and path.is_dir():
            kinds["linked folder"] += 1
        elif path.is_dir():
            continue
        elif not path.exists():
            kinds["broken link"] += 1
        elif not path.is_file():
            kinds["no regular file"] += 1
        elif not suffix:
            kinds["no suffix"] += 1
        elif suffix not in formats.readable():
            kinds[suffix] += 1
    return dict(sorted(kinds.items()))


def passed_over_line(folder: Path) -> str | None:
    """One line that says so, or None."""
    kinds = passed_over(folder)
    if not kinds:
        return None
    named = ", ".join(f"{number} {shown(kind, 20)}" for kind, number in list(kinds.items())[:12])
    missing = {suffix for suffix in kinds if suffix in formats.EXTRA}
    hint = "; pip install 'robust-watermark[formats]' for these: " + " ".join(sorted(missing)) if missing else ""
    count = sum(kinds.values())
    files = f"{count} file{'' if count == 1 else 's'}"
    return f"{shown(folder)}: {files} not looked at ({named}{to_install(hint)})"


def targets(files: list[Path], source: Path, target: Path, *, every_frame: bool = False) -> dict[Path, Path]:
    """Where each picture of a folder goes: the same name below ``target``, as PNG where its format is not written.

    Args:
        files: the pictures.
        source: the folder that holds them.
        target: the folder to fill.
        every_frame: whether animations are marked, so that a GIF stays one.

    Raises:
        UserError: see ``check_apart``; an output may be its own input.
    """
    names = {path: path.relative_to(source) for path in files}
    chosen = {
        path: target / name.with_suffix(formats.target_suffix(name.suffix, every_frame=every_frame))
        for path, name in names.items()
    }
    check_apart(chosen, in_place=True)
    return chosen


def check_apart(chosen: dict[Path, Path], *, in_place: bool = False) -> None:
    """Refuse outputs that would be one file, also on a disk that tells neither capitals nor Unicode forms apart.

    Args:
        chosen: where the output of each picture goes; a linked picture is the file that the link leads to.
        in_place: whether an output may be its own input.

    Raises:
        UserError: two outputs would be one file, or one is an input.
    """
    taken: dict[str, Path] = {}
    inputs = {_folded(path): path for path in chosen}
    for path in chosen:
        inputs.setdefault(_folded(path.resolve()), path)
    for path, output in chosen.items():
        if in_place and output == path:
            continue  # both names are there already, so this disk tells them apart
        key = _folded(output)
        if (other := taken.setdefault(key, path)) is not path:
            raise UserError(f"{shown(path)} and {shown(other)} would both be written to {shown(output)}; rename one")
        if (other := inputs.get(key, path)) is not path:
            raise UserError(f"{shown(path)} would be written over {shown(other)}, another picture; rename one")
        if not in_place and is_one_file(path, output):
            raise UserError(f"{shown(output)}: would be written over the picture itself; choose another name")


def is_one_file(path: Path, other: Path) -> bool:
    """Whether both names lead to one file that is there, through links and whatever the disk takes for equal."""
    return path.exists() and other.exists() and path.samefile(other)


def is_below(path: Path, source: Path, target: Path) -> bool:
    """Whether a file found below ``source`` lies in a ``target`` that is a folder further down."""
    return any(is_one_file(folder, target) for folder in path.parents if source in folder.parents)


def _folded(path: Path) -> str:
    """What two names have in common where a disk may take them for one."""
    where = unicodedata.normalize("NFC", str(path.parent.resolve() / path.name))
    return unicodedata.normalize("NFC", where.casefold())


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
