"""Runs migrations inside the transaction that `vigie.store.upgrade` opened."""

from alembic import context

from vigie.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="vigie_version",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
