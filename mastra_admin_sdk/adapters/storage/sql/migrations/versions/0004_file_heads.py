"""How a telemetry file begins: tells one that was replaced though its inode's number was given out again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    column = sa.Column("head", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    op.add_column("offsets", column, schema=_find_schema())


def downgrade() -> None:
    """Remove it again."""
    op.drop_column("offsets", "head", schema=_find_schema())


def _find_schema() -> str | None:
    # Alembic writes these statements itself: the connection's map of schemas doesn't reach them.
    schema: str | None = context.config.attributes["schema"]
    return schema
