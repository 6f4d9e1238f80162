"""The first tables: records, head and counters, as they stand in every registry."""

revision, down_revision = "1", None


def upgrade() -> None:
    """Nothing: a registry without these is no registry."""
