"""Run by alembic (``watermark.registry.schema``) inside the transaction of the connection that it was given."""

from alembic import context

from watermark.registry.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
