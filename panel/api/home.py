"""``/api/gc``, ``/api/disk``, ``/api/doctor`` and ``/api/settings``: the home itself."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from mastra_admin_sdk.models import TokenScope
from mastra_admin_sdk.settings import SETTINGS, Settings

from ..context import current_panel
from ..openapi import endpoint
from ..principals import needs
from .schemas.home import (
    Check,
    CheckList,
    Collection,
    CollectionItem,
    CollectionRequest,
    Disk,
    DiskItem,
    DiskPart,
    SettingList,
    SettingValue,
)

blueprint = Blueprint("api_home", __name__)


@blueprint.post("/gc")
@endpoint()
@needs(TokenScope.ADMIN, everywhere=True)
def collect(body: CollectionRequest) -> CollectionItem:
    """Remove what is no longer kept, or say what would be removed.

    Old artifacts, old logs, what interrupted work left, unused build cache; never what a deployment serves or served
    before.
    """
    return CollectionItem(collection=Collection.of(current_panel().admin.gc(dry_run=body.dry_run)))


@blueprint.get("/disk")
@endpoint()
@needs(TokenScope.READ, everywhere=True)
def show_disk() -> DiskItem:
    """Show how much room the home takes."""
    frame = current_panel().admin.disk()
    parts = [DiskPart.model_validate(row) for row in frame.to_dict("records")]
    taken = sum(part.bytes for part in parts)
    return DiskItem(disk=Disk(free=frame.attrs["free"], total=frame.attrs["total"], bytes=taken, parts=parts))


@blueprint.get("/doctor")
@endpoint()
@needs(TokenScope.ADMIN, everywhere=True)
def examine() -> CheckList:
    """Check Node, Caddy, the engine, ports, disk and home; each check says how to mend what it found."""
    checks = [Check.of(item) for item in current_panel().admin.doctor()]
    return CheckList(ok=all(check.ok for check in checks), checks=checks)


@blueprint.get("/settings")
@endpoint(conditional=True)
@needs(TokenScope.READ, everywhere=True)
def list_settings() -> SettingList:
    """List the settings in force, and where each comes from. Secrets aren't told."""
    return SettingList(settings=describe_settings(current_panel().admin.settings))


def describe_settings(settings: Settings) -> list[SettingValue]:
    """Return all settings as the API shows them."""
    return [
        SettingValue(
            name=setting.name,
            value=_to_json(settings[setting.name]) if not setting.secret or not settings[setting.name] else None,
            default=_to_json(setting.default),
            source=settings.origin(setting.name),
            env=setting.env,
            help=setting.help,
            secret=setting.secret,
        )
        for setting in SETTINGS
    ]


def _to_json(value: Any) -> Any:
    return list(value) if isinstance(value, list) else dict(value) if isinstance(value, dict) else value
