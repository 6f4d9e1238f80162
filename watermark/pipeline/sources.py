"""What there is to work on: a folder of pictures, parquet manifests, or tars as webdataset writes them."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from watermark.errors import UserError
from watermark.files import formats
from watermark.pipeline.store import Place, files_below, kind, opened, told
from watermark.shown import reason, shown

FOLDER, MANIFEST, TARS = "folder", "manifest", "tars"
COLUMNS = {"uri", "provider", "content"}
ROWS = 4096
MAX_URI, MAX_GROUP = 8192, 2**30
"""Bytes of an address of a manifest, and of a group of its rows."""


@dataclass(frozen=True)
class Beside:
    """A file that goes with a picture in a tar, such as its caption: its suffix and where it lies."""

    suffix: str
    offset: int
    size: int


@dataclass(frozen=True)
class Entry:
    """One picture.

    Attributes:
        uri: the file that holds it.
        name: below the source, or in the tar; its suffix says what the marked picture is written as.
        offset: where it begins in ``uri``; None: it is the whole file.
        size: bytes; None where nobody said.
        provider: whose it is; None: the command's.
        content: its content ID, reserved earlier; None: one is reserved for it.
        beside: of a tar's sample.
    """

    uri: str
    name: str
    offset: int | None = None
    size: int | None = None
    provider: int | None = None
    content: int | None = None
    beside: tuple[Beside, ...] = ()


def kind_of(source: Place) -> str:
    """``folder``, ``manifest`` or ``tars``.

    Raises:
        UserError: there is nothing, or a folder holds several kinds.
    """
    if kind(source) == "nothing":
        raise UserError(f"{shown(source)}: no such file or folder")
    if source.path.endswith(".parquet"):
        return MANIFEST
    if source.path.endswith(".tar"):
        return TARS
    if kind(source) == "file":
        raise UserError(f"{shown(source)}: expected a folder, a .parquet manifest or a .tar")
    here = {PurePosixPath(one.name).suffix.lower() for one in files_below(source, recursive=False)}
    held = [
        name
        for name, there in (
            (TARS, ".tar" in here),
            (MANIFEST, ".parquet" in here and ".tar" not in here),  # tars have tables beside them
            (FOLDER, bool(here & formats.readable())),
        )
        if there
    ]
    if len(held) > 1:
        raise UserError(
            f"{shown(source)}: expected pictures, tars or manifests in this folder, got {' and '.join(held)}"
        )
    return held[0] if held else FOLDER


def entries(source: Place, anywhere: bool = False) -> Iterator[Entry]:
    """Every picture, in an order that does not change while the source does not.

    Args:
        source: a folder, a manifest or tars.
        anywhere: believe a manifest whose addresses lead out of its own folder. A stranger's would name your own files,
            or have your credentials sent to a server of his (``?endpoint_override=``).

    Raises:
        UserError: see ``kind_of``; or a manifest or tar is none.
    """
    found = kind_of(source)
    if found == FOLDER:
        yield from _of_folder(source)
        return
    suffix = ".tar" if found == TARS else ".parquet"
    files = [source] if source.path.endswith(suffix) and kind(source) == "file" else None
    for file in files or [source / one.name for one in files_below(source) if one.name.endswith(suffix)]:
        yield from _of_tar(file) if found == TARS else _of_manifest(file, anywhere)


def _of_folder(folder: Place) -> Iterator[Entry]:
    for one in files_below(folder):
        hidden = any(part.startswith(".") for part in one.name.split("/"))
        if not hidden and PurePosixPath(one.name).suffix.lower() in formats.readable():
            yield Entry(str(folder / one.name), one.name, size=one.size)


def _of_tar(file: Place) -> Iterator[Entry]:
    """Samples are members that follow each other and have one name up to the first dot after the last slash."""
    try:
        with told(file), opened(file) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            name = ""
            held: list[tuple[str, int, int]] = []
            for member in archive:
                if not member.isfile():
                    continue
                member.name = member.name.encode("utf-8", "backslashreplace").decode()  # tables hold no other names
                key = _key(member.name)
                if key != name and held:
                    yield from _sample(file, held)
                    held = []
                name = key
                held.append((member.name, member.offset_data, member.size))
            yield from _sample(file, held)
    except (tarfile.TarError, OverflowError) as error:
        raise UserError(f"{shown(file)}: expected a tar without compression ({reason(error)})") from None


def _key(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition('.')[0]}"


def _sample(file: Place, held: list[tuple[str, int, int]]) -> Iterator[Entry]:
    pictures = [one for one in held if PurePosixPath(one[0]).suffix.lower() in formats.readable()]
    for name, offset, size in pictures:
        alone = len(pictures) == 1  # a caption of two pictures would have to go with both
        beside = tuple(
            Beside(other[len(_key(other)) :], at, length) for other, at, length in held if alone and other != name
        )
        yield Entry(str(file), name, offset, size, beside=beside)


def _of_manifest(file: Place, anywhere: bool) -> Iterator[Entry]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with told(file), opened(file) as stream:
        try:
            facts = pq.ParquetFile(stream)
            _check_shape(file, facts)
            table = pq.ParquetFile(stream, metadata=facts.metadata, read_dictionary=["uri"])
            for batch in table.iter_batches(ROWS, columns=sorted(COLUMNS & set(table.schema_arrow.names))):
                _check_lengths(file, batch.column("uri"))
                for row in batch.to_pylist():
                    yield _row(file, row, anywhere)
        except pa.ArrowException as error:
            raise UserError(f"{shown(file)}: expected a parquet file ({reason(error, 200)})") from None


def _check_shape(file: Place, table: Any) -> None:
    """Refuse what is no table of addresses, before any of it is unpacked."""
    import pyarrow as pa

    names = table.schema_arrow.names
    if names.count("uri") != 1:
        raise UserError(f"{shown(file)}: expected a column uri, got {shown(', '.join(sorted(names)), 200)}")
    kind = table.schema_arrow.field("uri").type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise UserError(f"{shown(file)}: expected a text in every row of the column uri, got {shown(kind, 80)}")
    groups = (table.metadata.row_group(i).total_byte_size for i in range(table.metadata.num_row_groups))
    if (largest := max(groups, default=0)) > MAX_GROUP:
        raise UserError(f"{shown(file)}: expected row groups of at most {MAX_GROUP >> 20} MiB, got {largest >> 20}")


def _check_lengths(file: Place, column: Any) -> None:
    """One long text may stand in a million rows and take no room in the file: it is looked at once."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = column.dictionary if pa.types.is_dictionary(column.type) else column
    if (longest := pc.max(pc.binary_length(texts)).as_py() or 0) > MAX_URI:
        raise UserError(f"{shown(file)}: expected addresses of at most {MAX_URI} bytes, got {longest}")


def _row(file: Place, row: dict[str, object], anywhere: bool) -> Entry:
    uri, numbers = row["uri"], dict[str, int | None]()
    if not isinstance(uri, str) or not uri:
        raise UserError(f"{shown(file)}: expected a text in every row of the column uri, got {shown(uri, 80)}")
    for name in ("provider", "content"):
        value = row.get(name)
        try:
            numbers[name] = None if value is None else int(shown(value, 80))
        except ValueError:
            raise UserError(f"{shown(file)}: {name}: expected whole numbers, got {shown(value, 80)}") from None
    place = Place.of(uri, file.parent)
    if not (anywhere or place.is_below(file.parent)):
        raise UserError(
            f"{shown(file)}: expected pictures below its own folder, got {shown(uri, 200)}; "
            "--anywhere believes whoever wrote it"
        )
    return Entry(str(place), place.path.rpartition("/")[2], provider=numbers["provider"], content=numbers["content"])
