"""Mark the pictures of a shard: reserved IDs, records before bytes, a failure is a row."""

import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from watermark import files
from watermark.errors import UserError, show_unexpected
from watermark.files import formats
from watermark.identity.issuing import Prepared, Request, prepare
from watermark.identity.markers import marker_for
from watermark.keystore import load_key
from watermark.labels import add_visible_label
from watermark.labels.carriers import SUFFIXES
from watermark.pipeline import plan as plans
from watermark.pipeline import shards, sources, store
from watermark.pipeline.issuer import Issuer
from watermark.pipeline.plan import Planned
from watermark.pipeline.shards import Clock, Counted, Done
from watermark.pipeline.sources import Entry
from watermark.pipeline.store import Place
from watermark.registry import IssueRecord, Slot
from watermark.shown import reason, shown

if TYPE_CHECKING:
    from watermark.watermarker import Watermarker

TOGETHER = 256
"""Pictures that are recorded in one transaction and then written; held in memory meanwhile."""


@dataclass(frozen=True)
class Marking:
    """How pictures are marked; see ``watermark.identity.Request`` for what is not said here.

    Attributes:
        registry: location of the registry that the IDs come from.
        key_files: of the slots; the first one also opens the registry.
        sync_key_file: of the secret that the providers share, if they do.
        mirror: write pictures under their names below the source instead of tars.
        target_psnr: dB; None: the scheme's.
        device: see ``Watermarker.load``.
        max_pixels: see ``watermark.files.set_max_pixels``.
    """

    registry: str
    key_files: tuple[Path, ...]
    sync_key_file: Path | None = None
    mirror: bool = False
    label: str = "1"
    draw_visible: bool = False
    explicit_label: bool = True
    recipient: str | None = None
    quality: int | None = None
    target_psnr: float | None = None
    device: str = "auto"
    max_pixels: int | None = None


@dataclass(frozen=True)
class _Made:
    """A picture of a shard with its ID, and what became of it."""

    key: str
    one: Planned
    content_id: int
    prepared: Prepared | None
    size: tuple[int, int] | None
    error: str | None


class Embedder:
    """Holds keys, markers and a connection to the registry, and makes shards; one for each worker.

    Args:
        marking: how.
        target: the folder to fill, which has a plan.

    Raises:
        UserError: a key or the registry cannot be read.
    """

    def __init__(self, marking: Marking, target: Place) -> None:
        if marking.max_pixels is not None:
            files.set_max_pixels(marking.max_pixels)
        self.marking, self.target = marking, target
        self.issuer = Issuer(marking.registry, marking.key_files)
        self.registry = self.issuer.registry
        self.recipient = self.registry.recipient_reference(marking.recipient) if marking.recipient else None
        self.sync_key = load_key(marking.sync_key_file) if marking.sync_key_file else None
        self._markers: dict[int, Watermarker] = {}

    def marker(self, slot: Slot) -> "Watermarker":
        """The marker of a slot."""
        if slot.slot not in self._markers:
            how = self.marking
            key = self.issuer.keys[slot.key_id]
            self._markers[slot.slot] = marker_for(slot, key, how.target_psnr, sync_key=self.sync_key, device=how.device)
        return self._markers[slot.slot]

    def entries(self, source: Place, provider: int | None, anywhere: bool = False) -> Iterator[Entry]:
        """The pictures of a source with their providers; see ``Issuer.entries`` and ``sources.entries``.

        Raises:
            UserError: also where two of them would be one file of a mirror.
        """
        taken: dict[str, str] = {}
        for entry in self.issuer.entries(sources.entries(source, anywhere), provider):
            name = released_name(entry.name)
            other = taken.setdefault(name.casefold(), entry.name) if self.marking.mirror else entry.name
            if other != entry.name:
                raise UserError(f"{shown(entry.name)} and {shown(other)} would both be {shown(name)}; rename one")
            yield entry

    def rehearse(self, entry: Entry) -> int | None:
        """Mark a picture in memory with an ID that is nobody's; bytes of its file, None where it fails."""
        made = self.attempt("", Planned(entry, None), 0)
        return len(made.prepared.content) if made.prepared else None

    def __call__(self, number: int) -> Done:
        """Make a shard: its pictures, then its rows. Repeated, it writes the same bytes.

        Raises:
            UserError: the registry, the source's plan or the target fails; one picture that fails is a row.
        """
        clock, plan = Clock(), plans.load(self.target)
        assert plan is not None
        planned = plans.part(self.target, number)
        keyed = [(_key(number, i, plan.settings["shard_size"]), one) for i, one in enumerate(planned)]
        ids = self.issuer.ids(plan, planned)
        rows: list[dict[str, Any]] = []
        with ExitStack() as stack:
            archive = None
            if not self.marking.mirror:
                counted = Counted(stack.enter_context(store.staged(self.target / f"{plans.shard_name(number)}.tar")))
                archive = stack.enter_context(shards.tar(counted))
            for made in self._recorded(keyed, ids):
                rows.append(self._row(made, _written(made, archive, self.target)))
            if archive is not None:
                archive.close()
        mirrored = sum(row["bytes"] or 0 for row in rows)
        written, digest = (mirrored, "") if archive is None else (counted.length, counted.sha256)
        failed = sum(row["error"] is not None for row in rows)
        done = Done(number, len(rows), failed, written, digest, *clock.read())
        return shards.finish(self.target, done, rows, _schema(), beside_tar=not self.marking.mirror)

    def attempt(self, key: str, one: Planned, content_id: int) -> _Made:
        """Mark one picture in memory; whatever is wrong with it is told in ``error``."""
        name = shown(one.entry.uri)
        try:
            slot = self.issuer.slot(one.entry.provider)
            place = Place.of(one.entry.uri)
            image = files.decode(store.read(place, one.entry.offset, one.entry.size), one.entry.name)
            request = self._request(one)
            if request.draw_visible:
                image = add_visible_label(image, request.visible_text)
            made = prepare(request, slot, image, content_id, self.recipient, self.marker(slot))
            return _Made(key, one, content_id, made, image.size, None)
        except UserError as error:
            return _Made(key, one, content_id, None, None, shown(error, 2000))
        except Exception as error:  # whatever is wrong with one picture, the others are marked
            show_unexpected(error)
            return _Made(key, one, content_id, None, None, f"{name}: {type(error).__name__} ({reason(error)})")

    def _request(self, one: Planned) -> Request:
        how = self.marking
        return Request(
            source=Path(one.entry.name),
            target=Path(released_name(one.entry.name)),
            slot=one.entry.provider or 0,
            label=how.label,
            draw_visible=how.draw_visible,
            explicit_label=how.explicit_label,
            recipient=how.recipient,
            quality=how.quality,
        )

    def _recorded(self, keyed: Sequence[tuple[str, Planned]], ids: Sequence[int]) -> Iterator[_Made]:
        """Every picture of a shard, on record before it is given out to be written."""
        for start in range(0, len(keyed), TOGETHER):
            part = slice(start, start + TOGETHER)
            made = [self.attempt(*pair, ids[start + i]) for i, pair in enumerate(keyed[part])]
            yield from self._on_record(made)

    def _on_record(self, made: Sequence[_Made]) -> list[_Made]:
        """Record what is not, and refuse what is on record with other bytes."""
        ready = [one.prepared.record for one in made if one.prepared]
        held: dict[tuple[int, int], str | None] = {}  # slot, content ID -> SHA-256 on record, None once purged
        for slot in {record.slot for record in ready}:
            wanted = [record.content_id for record in ready if record.slot == slot]
            for content_id, found in self.registry.find_many(slot, wanted).items():
                held[slot, content_id] = found.record.released_sha256 if found.record else None
        new: list[IssueRecord] = []
        told = []
        for one in made:
            if one.prepared:
                record = one.prepared.record
                where = record.slot, record.content_id
                if where not in held:
                    held[where] = record.released_sha256
                    new.append(record)
                elif held[where] != record.released_sha256:
                    one = replace(one, prepared=None, error=OTHER_BYTES)
            told.append(one)
        if new:
            self.registry.record(new)
        return told

    def _row(self, made: _Made, name: str | None) -> dict[str, Any]:
        entry, prepared = made.one.entry, made.prepared
        width, height = made.size or (None, None)
        return {
            "key": made.key,
            "uri": entry.uri,
            "name": entry.name,
            "provider": entry.provider,
            "content": str(made.content_id),
            "file": name,
            "sha256": prepared.record.released_sha256 if prepared else None,
            "bytes": len(prepared.content) if prepared else None,
            "width": width,
            "height": height,
            "log10_p": prepared.log10_p if prepared else None,
            "error": made.error,
        }


OTHER_BYTES = (
    "its content ID is on record with other bytes: of another picture, or of a try on another machine or version"
)


def released_name(name: str) -> str:
    """Under which name a picture is written: its own where the format has a place for the label, else as PNG."""
    path = PurePosixPath(name)
    suffix = formats.target_suffix(path.suffix)
    if suffix.lower() not in SUFFIXES:
        found = formats.of_suffix(suffix)
        suffix = ".jpg" if found and found.name == "JPEG" else ".png"
    return str(path.with_suffix(suffix))


def _key(shard: int, index: int, shard_size: int) -> str:
    """The shard's number and the place in it, without anything between, as img2dataset names samples."""
    return f"{plans.shard_name(shard)}{index:0{max(4, len(str(shard_size - 1)))}d}"


def _written(made: _Made, archive: tarfile.TarFile | None, target: Place) -> str | None:
    """Put a picture where it belongs; its name there."""
    if made.prepared is None:
        return None
    name = released_name(made.one.entry.name)
    if archive is None:
        store.write(target / name, made.prepared.content)
        return name
    name = made.key + PurePosixPath(name).suffix.lower()
    shards.add_member(archive, name, made.prepared.content)
    for other in made.one.entry.beside:
        place = Place.of(made.one.entry.uri)
        shards.add_member(archive, f"{made.key}{other.suffix}", store.read(place, other.offset, other.size))
    return name


def _schema() -> Any:
    import pyarrow as pa

    text, whole = pa.string(), pa.int64()
    return pa.schema(
        [
            ("key", text),
            ("uri", text),
            ("name", text),
            ("provider", whole),
            ("content", text),  # decimal
            ("file", text),
            ("sha256", text),
            ("bytes", whole),
            ("width", whole),
            ("height", whole),
            ("log10_p", pa.float64()),
            ("error", text),
        ]
    )
