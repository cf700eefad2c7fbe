"""Where the store connects, as whom, and what for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from mastra_admin_sdk.errors import InvalidInput

from .embedded.launcher import EngineLauncher


class Role(StrEnum):
    """What a connection is for: the owner changes things, a reader can't."""

    OWNER = "owner"
    READER = "reader"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect, as whom. Its repr hides the password."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False, default="")
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Further arguments of the driver's client, such as those for TLS."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of ClickHouse that every query gets."""


FindAddress = Callable[[Role], Address]


def check_url(url: str) -> None:
    """Raise `InvalidInput` unless this is the URL of a ClickHouse server; the message never has its password."""
    parts = urlsplit(url)
    if parts.scheme not in {"clickhouse", "clickhouses"} or not parts.hostname:
        raise InvalidInput("This is no URL of a ClickHouse server.", hint=_HINT)


def parse_address(url: str) -> Address:
    """Return where a ``clickhouse://`` or ``clickhouses://`` URL points.

    Raises:
        InvalidInput: it is no such URL.
    """
    from clickhouse_driver.util.helpers import parse_url

    check_url(url)
    parts = urlsplit(url)
    try:
        host, found = parse_url(url)
    except (ValueError, TypeError, AttributeError) as exc:
        raise InvalidInput(
            f"The URL of the ClickHouse server {parts.hostname} can't be used: {exc}.", hint=_HINT
        ) from exc
    ours = {"port", "database", "user", "password", "settings"}
    settings = found.get("settings", {})
    if "use_numpy" in settings:
        raise InvalidInput("The URL of the ClickHouse server can't set use_numpy.", hint="Leave it out.")
    return Address(
        host=host,
        port=int(found.get("port") or (9440 if found.get("secure") else 9000)),
        database=found.get("database") or "default",
        user=found.get("user") or "default",
        password=found.get("password") or "",
        more={name: value for name, value in found.items() if name not in ours},
        settings=settings,
    )


def find_embedded(launcher: EngineLauncher) -> FindAddress:
    """Return what finds the engine of a home, starting it when there is none."""

    def find(role: Role) -> Address:
        record = launcher.ensure()
        is_owner = role is Role.OWNER
        password = record.owner_password if is_owner else record.reader_password
        return Address("127.0.0.1", record.port, "mastra", "admin" if is_owner else "reader", password)

    return find


def find_server(url: str) -> FindAddress:
    """Return what finds a server of somebody's own: one address for every role."""
    address = parse_address(url)
    return lambda _: address


_HINT = "Write clickhouse://user:password@host:9000/database, or clickhouses:// for TLS."
