"""Look for a mark in the pictures of a shard; the rows are the answer, and one that cannot be read is a row too."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from watermark import files
from watermark.errors import UserError, show_unexpected
from watermark.pipeline import plan as plans
from watermark.pipeline import shards, store
from watermark.pipeline.plan import Planned
from watermark.pipeline.shards import Clock, Done
from watermark.pipeline.sources import Entry
from watermark.pipeline.store import Place
from watermark.shown import reason, shown

if TYPE_CHECKING:
    from watermark.keyring import Keyring
    from watermark.watermarker import Watermarker


class Examiner:
    """Holds a reader and answers shards; one for each worker.

    Args:
        build: makes the marker or ring of keys; called once.
        target: the folder to fill, which has a plan.
        max_pixels: see ``watermark.files.set_max_pixels``.
    """

    def __init__(
        self, build: "Callable[[], Watermarker | Keyring]", target: Place, max_pixels: int | None = None
    ) -> None:
        if max_pixels is not None:
            files.set_max_pixels(max_pixels)
        self.reader, self.target = build(), target

    def rehearse(self, entry: Entry) -> int | None:
        """Read a picture for nobody; bytes that would be written of it (its row, nearly none), None where it fails."""
        return None if "error" in self.attempt(Planned(entry, None)) else 0

    def __call__(self, number: int) -> Done:
        """Read a shard and write its rows.

        Raises:
            UserError: the plan or the target fails; one picture that fails is a row.
        """
        clock = Clock()
        rows = [self.attempt(one) for one in plans.part(self.target, number)]
        failed = sum("error" in row for row in rows)
        done = Done(number, len(rows), failed, 0, "", *clock.read())
        return shards.finish(self.target, done, rows, _schema(), beside_tar=False)

    def attempt(self, one: Planned) -> dict[str, Any]:
        """The row of one picture."""
        entry, row = one.entry, {"uri": one.entry.uri, "name": one.entry.name}
        try:
            content = store.read(Place.of(entry.uri), entry.offset, entry.size)
            found = self.reader.detect(files.decode(content, entry.name, strict=False))
        except UserError as error:
            return row | {"error": shown(error, 2000)}
        except Exception as error:  # whatever is wrong with one picture, the others are looked at
            show_unexpected(error)
            return row | {"error": f"{shown(entry.uri)}: {type(error).__name__} ({reason(error)})"}
        return row | {
            "is_marked": found.is_marked,
            "log10_p": found.log10_p,
            "provider": found.provider_id,
            "content": None if found.content_id is None else str(found.content_id),
            "name_uncertain": found.name_uncertain,
            "log10_doubt": found.log10_doubt,
        }


def _schema() -> Any:
    import pyarrow as pa

    text, real = pa.string(), pa.float64()
    return pa.schema(
        [
            ("uri", text),
            ("name", text),
            ("is_marked", pa.bool_()),
            ("log10_p", real),
            ("provider", pa.int64()),
            ("content", text),  # decimal
            ("name_uncertain", text),
            ("log10_doubt", real),
            ("error", text),
        ]
    )
