"""How telemetry gets into the store, in a few lines: for `ps`."""

from __future__ import annotations

from mastra_admin_sdk.display.text import format_bytes, format_duration, relative_time
from mastra_admin_sdk.models import utc_now
from mastra_admin_sdk.services.telemetry.lag import Lag
from mastra_admin_sdk.services.telemetry.progress import IngestionStatus

from .output import wrap

_INDENT = " " * 12
_REJECTS = '`sql "SELECT * FROM mastra_admin_rejects"` tells why'


def summarize_ingestion(lag: Lag, status: IngestionStatus, width: int) -> list[str]:
    """Return what waits, what is in the way, and what could not be stored."""
    lines = [f"ingestion   {_describe_lag(lag)}"]
    if status.trouble:
        since = f"{relative_time(status.since, utc_now())}: " if status.since else ""
        lines += wrap(f"nothing can be stored, since {since}{status.trouble}", width, indent=_INDENT)
    if status.rejected or status.dropped or status.sampled_out:
        lines += wrap(_describe_losses(status), width, indent=_INDENT)
    return lines


def _describe_lag(lag: Lag) -> str:
    if not lag.files:
        return "up to date"
    files = f"{lag.files} file{'s' if lag.files > 1 else ''}"
    return f"{format_bytes(lag.bytes)} in {files} behind ({format_duration(lag.seconds)})"


def _describe_losses(status: IngestionStatus) -> str:
    told = []
    if status.rejected:
        told.append(f"{status.rejected:,} line{'s' if status.rejected > 1 else ''} rejected: {_REJECTS}")
    if status.dropped:
        reason = f": {status.dropped_reason}" if status.dropped_reason else ""
        told.append(f"{status.dropped:,} line{'s' if status.dropped > 1 else ''} dropped by servers{reason}")
    if status.sampled_out:
        told.append(f"{status.sampled_out:,} line{'s' if status.sampled_out > 1 else ''} left out by sampling")
    return "; ".join(told)
