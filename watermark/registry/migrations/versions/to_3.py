"""C2PA manifests beside the records; the version now stands where alembic keeps it."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "3", "2"


def upgrade() -> None:
    """Nothing that was there changes."""
    op.create_table(
        "manifests",
        sa.Column("manifest_id", sa.String(255), primary_key=True),
        sa.Column("slot", sa.BigInteger, nullable=False),
        sa.Column("content_id", sa.String(39), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.execute("DROP TABLE IF EXISTS registry_schema")
