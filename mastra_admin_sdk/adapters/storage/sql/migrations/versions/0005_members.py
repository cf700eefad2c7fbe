"""Members of teams, tokens that belong to one, and names that no two tokens in force have."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import context, op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table, add the column, and free names that are taken twice."""
    op.create_table(
        "members",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("team_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_members"),
        sa.UniqueConstraint("team_id", "email", name="uq_members_team_id_email"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_members_team_id", ondelete="CASCADE"),
    )
    op.create_index("ix_members_team_id_created_at_id", "members", ["team_id", "created_at", "id"])
    op.create_index("ix_members_created_at_id", "members", ["created_at", "id"])
    schema = _find_schema()
    # SQLite can't add a foreign key: there the table is made anew.
    with op.batch_alter_table("tokens", schema=schema) as batch:
        batch.add_column(sa.Column("member_id", sa.Text(), nullable=True))
        batch.create_foreign_key(
            "fk_tokens_member_id", "members", ["member_id"], ["id"], ondelete="CASCADE", referent_schema=schema
        )
    op.create_index("ix_tokens_member_id", "tokens", ["member_id"])
    _free_names()
    in_force = sa.text("revoked_at IS NULL")
    op.create_index("uq_tokens_name", "tokens", ["name"], unique=True, sqlite_where=in_force, postgresql_where=in_force)


def downgrade() -> None:
    """Drop them."""
    op.drop_index("uq_tokens_name", "tokens")
    op.drop_index("ix_tokens_member_id", "tokens")
    # Nothing is left to say whose these were: they would be good for all of the team.
    tokens = sa.table("tokens", sa.column("member_id"), schema=_find_schema())
    op.get_bind().execute(sa.delete(tokens).where(tokens.c.member_id.is_not(None)))
    with op.batch_alter_table("tokens", schema=_find_schema()) as batch:
        batch.drop_constraint("fk_tokens_member_id", type_="foreignkey")
        batch.drop_column("member_id")
    op.drop_table("members")


def _free_names() -> None:
    """Two makers at once could get one name: the newest token keeps it, others are told apart by their id."""
    names = ("id", "name", "created_at", "expires_at", "revoked_at")
    tokens = sa.table("tokens", *(sa.column(name) for name in names), schema=_find_schema())
    columns, bind = tokens.c, op.get_bind()
    over = sa.and_(columns.revoked_at.is_(None), columns.expires_at <= sa.literal(_now(), TIME))
    bind.execute(sa.update(tokens).where(over).values(revoked_at=columns.expires_at))
    newest_first = sa.select(columns.id, columns.name).where(columns.revoked_at.is_(None))
    seen: set[str] = set()
    for token_id, name in bind.execute(newest_first.order_by(columns.created_at.desc(), columns.id.desc())).all():
        if name in seen:
            bind.execute(sa.update(tokens).where(columns.id == token_id).values(name=f"{name} {token_id}"))
        seen.add(name)


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(tzinfo=None) if op.get_bind().dialect.name == "sqlite" else now


def _find_schema() -> str | None:
    # Alembic writes these statements itself: the connection's map of schemas doesn't reach them.
    schema: str | None = context.config.attributes["schema"]
    return schema
