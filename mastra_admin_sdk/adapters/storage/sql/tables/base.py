"""What all tables are made of: the metadata that holds them, and columns by kind."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    text,
)

from mastra_admin_sdk.adapters.storage.sql.columns import CleanText, Json, UtcTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite numbers rows by itself only in a column that is declared INTEGER.
SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")


def text_column(name: str, *rest: Any, nullable: bool = False, **options: Any) -> Column[str]:
    """Text that both databases can hold."""
    return Column(name, CleanText(), *rest, nullable=nullable, **options)


def time_column(name: str, *, nullable: bool = False) -> Column[Any]:
    """A moment in UTC."""
    return Column(name, UtcTime(), nullable=nullable)


def number_column(name: str, *, nullable: bool = False) -> Column[int]:
    """A whole number."""
    return Column(name, BigInteger(), nullable=nullable)


def json_column(name: str) -> Column[Any]:
    """JSON; nothing and rubbish read as empty."""
    return Column(name, Json(), nullable=True)


def later_text_column(name: str, default: str) -> Column[str]:
    """A column that came with a later revision: rows that were there before hold its default."""
    return text_column(name, server_default=text(f"'{default}'"))


def later_number_column(name: str, default: int) -> Column[int]:
    """The same for a number."""
    return Column(name, BigInteger(), nullable=False, server_default=text(str(default)))


def later_flag_column(name: str) -> Column[bool]:
    """The same for a flag, which is off."""
    return Column(name, Boolean(), nullable=False, server_default=text("false"))


def parent_column(name: str, target: str) -> Column[str]:
    """The id of a record that takes this one with it when it is deleted."""
    return text_column(name, ForeignKey(target, ondelete="CASCADE"))
