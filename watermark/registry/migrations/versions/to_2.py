"""The checkpoint of verifications, and indexes for what is asked often."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "2", "1"


def upgrade() -> None:
    """With many records the indexes take a while."""
    op.create_table(
        "checkpoint",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("purged", sa.BigInteger, nullable=False),
        sa.Column("used", sa.Text, nullable=False),
        sa.Column("tag", sa.String(64), nullable=False),
    )
    for name, column, condition in (
        ("slot_definitions", "sequence", "kind = 'slot'"),
        ("bodies_by_retention", "retain_until", "body IS NOT NULL"),
        ("bodies_purged", "sequence", "body IS NULL"),
    ):
        where = sa.text(condition)
        op.create_index(name, "records", [column], sqlite_where=where, postgresql_where=where)
