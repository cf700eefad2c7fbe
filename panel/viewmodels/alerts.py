"""Alert rules, states and messages, for the page ``/alerts``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.display.text import format_duration
from mastra_admin_sdk.models import AlertKind


@dataclass(frozen=True, slots=True)
class KindOfAlert:
    """A kind of rule as the form offers it; ``takes`` are the options that it has beside the common ones."""

    name: str
    label: str
    unit: str
    example: float
    help: str
    is_of_home: bool = False
    takes: tuple[str, ...] = ()


KINDS: Mapping[str, KindOfAlert] = {
    kind.name: kind
    for kind in (
        KindOfAlert("error_rate", "Error rate", "%", 10, "Share of traces that fail.", takes=("min_count", "share")),
        KindOfAlert("latency", "Latency", "ms", 5000, "Time that traces take.", takes=("min_count", "percentile")),
        KindOfAlert("down", "Servers down", "servers", 1, "Servers that should answer and don't."),
        KindOfAlert("crash", "Crashes", "crashes", 3, "Servers that ended by themselves."),
        KindOfAlert("memory", "Memory", "MB", 1000, "Memory that the servers of a deployment hold together."),
        KindOfAlert("build", "Failed builds", "builds", 1, "Builds that failed."),
        KindOfAlert("lag", "Telemetry lag", "s", 60, "How long telemetry waits to be stored.", is_of_home=True),
        KindOfAlert("rejects", "Rejected telemetry", "lines", 1, "Lines that could not be stored.", is_of_home=True),
    )
}
"""In the order of the form; those of the whole home last."""

TONES = {"ok": "good", "pending": "wait", "firing": "bad"}
DELIVERY_TONES = {"delivered": "good", "failed": "bad", "queued": "busy", "skipped": "idle"}


def write_value(kind: AlertKind | str, value: float | None) -> str:
    """Return a value of a kind as people read it: ``12 %``, ``340 ms``, ``2 servers``."""
    if value is None:
        return "nothing measured"
    known = KINDS[str(kind)]
    if "share" in known.takes:
        return f"{100 * value:.3g} %"
    if known.unit in {"ms", "s"}:
        return format_duration(value / 1000 if known.unit == "ms" else value)
    unit = known.unit if value != 1 or known.unit == "MB" else known.unit.removesuffix("s")
    return f"{value:,.4g} {unit}"


def describe_rule(alert: Mapping[str, Any], *, is_evaluated: bool = True) -> dict[str, Any]:
    """Return a rule (of the API, as JSON) with its condition in words.

    Parameters:
        is_evaluated: whether anything was measured for it yet: what wasn't isn't called ok.
    """
    kind = KINDS[alert["kind"]]
    options = alert["options"]
    window = format_duration(alert["window_seconds"])
    percentile = f" (p{options.get('percentile', 95)})" if alert["kind"] == "latency" else ""
    parts = [f"{kind.label}{percentile} from {write_value(alert['kind'], alert['threshold'])} in {window}"]
    if options.get("after"):
        parts.append(f"for {format_duration(options['after'])}")
    if options.get("remind"):
        parts.append(f"again every {format_duration(options['remind'])}")
    return {
        **alert,
        "condition": ", ".join(parts),
        "subject": alert["deployment"] or alert["project"] or ("the home" if kind.is_of_home else "all deployments"),
        **_find_state(alert, is_evaluated),
        "shown_threshold": alert["threshold"] * 100 if "share" in kind.takes else alert["threshold"],
        "unit": kind.unit,
        "kind_label": kind.label,
        "window": _write_span(alert["window_seconds"]),
        "after": _write_span(options.get("after", 0)),
        "remind": _write_span(options.get("remind", 0)),
    }


def describe_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a rule says of a deployment, in words."""
    return {
        **state,
        "tone": TONES[state["status"]],
        "shown": write_value(state["kind"], state["value"]),
        "limit": write_value(state["kind"], state["threshold"]),
    }


def describe_message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message with the colour of what became of it."""
    return {**message, "tone": DELIVERY_TONES.get(message["status"], "idle")}


def _find_state(alert: Mapping[str, Any], is_evaluated: bool) -> dict[str, str]:
    if not alert["enabled"]:
        return {"tone": "idle", "word": "off"}
    if alert["firing"]:
        return {"tone": "bad", "word": "firing"}
    return {"tone": "good", "word": "ok"} if is_evaluated else {"tone": "wait", "word": "no data yet"}


def _write_span(seconds: float) -> str:
    """Seconds as a form takes them: ``90s``, ``5m``, ``2h``; empty for none."""
    if not seconds:
        return ""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size:g}{unit}"
    return f"{seconds:g}s"
