from datetime import UTC, datetime, timedelta

from watermark.registry import IssueRecord, Slot

FAKE_CODE = "0011" + "0" * 18 + "10001"  # 18 zeros name nobody


class Clock:
    def __init__(self, moment=None):
        self.moment = moment or datetime.now(UTC).replace(microsecond=0)

    def __call__(self):
        return self.moment

    def forward(self, **span):
        self.moment += timedelta(**span)


def make_slot(number=7, bits=40):
    return Slot(number, FAKE_CODE, "key-1", "tile_spread", "1", "l64", bits)


def make_record(content_id, slot=7, **changes):
    fields = {
        "version": 1,
        "slot": slot,
        "content_id": content_id,
        "content_producer": FAKE_CODE,
        "produce_id": f"test-{content_id}",
        "label": "1",
        "algorithm": "tile_spread",
        "algorithm_version": "1",
        "key_id": "key-1",
        "released_sha256": "0" * 64,
        "perceptual_hash": "phash64:" + "0" * 16,
        "explicit_label": True,
    }
    return IssueRecord(**{**fields, **changes})
