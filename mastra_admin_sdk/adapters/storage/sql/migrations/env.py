"""Runs revisions on the connection that `migrate` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from mastra_admin_sdk.adapters.storage.sql.migrate import VERSION_TABLE
from mastra_admin_sdk.adapters.storage.sql.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    version_table_schema=context.config.attributes.get("schema"),
    render_as_batch=connection.dialect.name == "sqlite",
)
context.run_migrations()
