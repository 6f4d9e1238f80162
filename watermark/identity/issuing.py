"""Issue a picture: allocate an ID, mark, label, check, record, release; all or nothing.

The order decides what a crash can leave behind. The file is complete in memory, its room on the disk is taken, and its
mark and label are read back; then the record is committed; only then are its bytes written, and the file gets its name.
So no marked picture is ever on the disk without a record; at worst there is a record of a picture that was never
released, and a hidden file that the next run removes.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from watermark import files
from watermark.codec.payload import Payload
from watermark.errors import UserError
from watermark.files import metadata
from watermark.files.whole import check_free
from watermark.identity.looks import perceptual_hash, thumbnail
from watermark.identity.tracing import Marker
from watermark.labels import AigcLabel, add_visible_label
from watermark.labels.carriers import SUFFIXES, encode_with_label
from watermark.labels.manifest import Credentials, sign
from watermark.labels.soft_binding import algorithm_name, soft_binding_assertion
from watermark.registry import IssueRecord, Registry, Slot
from watermark.shown import reason, shown

PAYLOAD_VERSION = 1


@dataclass(frozen=True)
class Request:
    """What is to be issued.

    Attributes:
        source: the generated picture.
        target: where the released file goes: JPEG, PNG, WebP, AVIF or TIFF by suffix.
        slot: provider slot.
        label: ``"1"`` is AI-generated, ``"2"`` possibly, ``"3"`` suspected.
        produce_id: the provider's number for it; None makes one from slot and content ID.
        draw_visible: draw the visible label into a corner.
        explicit_label: people will see a label: the drawn one, or one that the service shows beside the picture.
        recipient: whom it is provided to; needed where nobody will see a label. Only a keyed hash is recorded.
        visible_text: of the drawn label.
        font: font file of the drawn label.
        overwrite: replace ``target``.
        quality: of JPEG, WebP or AVIF.
        credentials: sign a C2PA manifest with them, put it into the file and keep it beside the record; None for none.
    """

    source: Path
    target: Path
    slot: int
    label: str = "1"
    produce_id: str | None = None
    draw_visible: bool = True
    explicit_label: bool = True
    recipient: str | None = None
    visible_text: str = "AI生成"
    font: Path | None = None
    overwrite: bool = False
    quality: int | None = None
    credentials: Credentials | None = None


@dataclass(frozen=True)
class Prepared:
    """A picture that is ready to be released, and is not yet.

    Attributes:
        content: of the marked and labelled file, whose mark was read back.
        record: what is to be recorded of it first.
        manifests: C2PA manifest stores by their ID.
        log10_p: of the mark, read from ``content``.
        lost: metadata of the source that the format cannot hold, by name.
        dropped: metadata of the source that would be untrue of a marked picture, by name.
        quality: at which a JPEG was saved for it lost the mark at its own; None for all others.
    """

    content: bytes
    record: IssueRecord
    manifests: dict[str, bytes]
    log10_p: float
    lost: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    quality: int | None = None


def issue(
    request: Request,
    registry: Registry,
    marker: Marker,
    key_id: str,
    *,
    tell: Callable[[Prepared], None] | None = None,
) -> IssueRecord:
    """Issue one picture.

    Args:
        request: what is wanted.
        registry: opened with its key.
        marker: built with the slot's key, scheme and layout.
        key_id: fingerprint of the marker's key.
        tell: is given what was released, with the names of what of its source is not in it.

    Returns:
        The record, as it was committed.

    Raises:
        UserError: anything in the way, in one line; then nothing was released.
    """
    slot = _checked_slot(request, registry, key_id)
    if request.credentials and request.label != "1":
        raise UserError("a C2PA manifest says that the picture was generated: expected label 1")
    image = files.load(request.source)
    if request.draw_visible:
        image = add_visible_label(image, request.visible_text, font=request.font)
    with files.Staged(request.target, overwrite=request.overwrite) as staged:
        content_id = registry.allocate(request.slot)
        recipient = registry.recipient_reference(request.recipient) if request.recipient else None
        made = prepare(request, slot, image, content_id, recipient, marker)
        staged.reserve(len(made.content))
        record = _released(registry, made, staged)
    if tell is not None:
        tell(made)
    return record


def prepare(
    request: Request, slot: Slot, image: Image.Image, content_id: int, recipient: str | None, marker: Marker
) -> Prepared:
    """Mark, label and read back a picture that has its visible label, without recording or writing anything.

    Args:
        request: what is wanted; of ``target`` only the suffix counts, of ``source`` the name.
        slot: of the provider.
        image: the picture.
        content_id: its ID, reserved in the registry.
        recipient: the registry's reference of whom it is provided to.
        marker: see ``issue``.

    Raises:
        UserError: the mark cannot be read back, or the picture cannot be marked, labelled or encoded.
    """
    produce_id = request.produce_id or f"W{PAYLOAD_VERSION}-{request.slot:X}-{content_id:X}"
    label = AigcLabel.first(request.label, slot.content_producer, produce_id)
    try:
        marked = marker.embed(image, request.slot, content_id)
    except (ValueError, TypeError) as error:
        raise UserError(f"{shown(request.source)}: {reason(error)}") from error
    for quality in files.qualities(marked, request.target, request.quality):
        encoded = encode_with_label(marked, request.target, label, quality=quality)
        content, manifests = _signed(request, slot, content_id, encoded.content)
        released = files.decode(content, request.target)
        read = marker.detect(released)
        if (read.is_marked, read.provider_id, read.content_id) == (True, request.slot, content_id):
            break
    else:
        raise UserError(
            f"{request.target}: the mark cannot be read back from the file (log10 p {read.log10_p:.1f}); "
            "nothing was issued; try a larger picture, a higher quality or a lower target PSNR"
        )
    record = IssueRecord(
        version=PAYLOAD_VERSION,
        slot=request.slot,
        content_id=content_id,
        content_producer=slot.content_producer,
        produce_id=produce_id,
        label=request.label,
        algorithm=slot.algorithm,
        algorithm_version=slot.algorithm_version,
        key_id=slot.key_id,
        released_sha256=hashlib.sha256(content).hexdigest(),
        perceptual_hash=perceptual_hash(released),
        thumbnail=thumbnail(released),
        explicit_label=request.explicit_label,
        recipient_reference=recipient,
        c2pa_manifest_id=next(iter(manifests), None),
    )
    raised = quality if quality != request.quality else None
    return Prepared(content, record, manifests, read.log10_p, encoded.lost, metadata.of(image).dropped, raised)


def _signed(request: Request, slot: Slot, content_id: int, content: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The file with its C2PA manifest, and the manifest by its ID; the same file and none where none is asked for."""
    if not request.credentials:
        return content, {}
    signed = sign(content, request.target.suffix, _binding(request, slot, content_id), request.credentials)
    return signed.content, {signed.manifest_id: signed.manifest}


def _binding(request: Request, slot: Slot, content_id: int) -> dict[str, Any]:
    """The assertion that points from the manifest to the mark."""
    from watermark.config import build_named

    owner = request.credentials.owner if request.credentials else ""
    name = algorithm_name(owner, slot.algorithm, slot.algorithm_version)
    payload = Payload(slot.slot, content_id, PAYLOAD_VERSION)
    return soft_binding_assertion(name, build_named("layout", slot.layout), payload)


def _released(registry: Registry, made: Prepared, staged: files.Staged) -> IssueRecord:
    """Commit the record, then write the file and give it its name; withdraw the record if that is not to be."""
    (record,) = registry.record([made.record], manifests=made.manifests)
    try:
        staged.write(made.content)
        staged.release()
    except UserError as error:
        registry.withdraw(record.slot, record.content_id, "the file could not be put in its place")
        raise UserError(f"{error}; the record is withdrawn") from error
    except BaseException:  # Ctrl-C: the file has its name or has none
        if not _holds(staged.path, record.released_sha256):
            registry.withdraw(record.slot, record.content_id, "stopped before the file was in its place")
        raise
    return record


def _holds(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _checked_slot(request: Request, registry: Registry, key_id: str) -> Slot:
    slot = registry.slot(request.slot)
    if slot is None:
        raise UserError(f"slot {request.slot} is not defined in this registry; see: watermark registry add-slot")
    if slot.key_id != key_id:
        raise UserError(
            f"slot {slot.slot} belongs to key {slot.key_id}, this is key {key_id}; a new key takes a new slot"
        )
    if request.source.is_dir():
        many = "watermark pipeline embed issues those of a folder"
        raise UserError(f"{shown(request.source)}: expected one picture, got a folder; {many}")
    check_free(request.target, request.overwrite)
    if request.target.suffix.lower() not in SUFFIXES:
        expected = " ".join(sorted(SUFFIXES))
        raise UserError(f"{request.target}: expected a format with a place for the label: {expected}")
    if not request.explicit_label and not request.recipient:
        raise UserError(
            "a picture without a visible label needs a recipient (Article 9 of the Chinese labelling measures)"
        )
    return slot
