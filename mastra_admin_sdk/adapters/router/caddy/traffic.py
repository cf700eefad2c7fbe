"""What Caddy counted, by host and status. Pure: its text is read elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from mastra_admin_sdk.ports.router import Traffic

from .options import IDENTITY_HOST

# Each handler that a request passes counts it. This is the first one of a route to a deployment, and of no other.
_HANDLER = "vars"
_METRIC = "caddy_http_request_duration_seconds"
_UNKNOWN = "_other"


def read_traffic(text: str) -> Sequence[Traffic]:
    """Return the requests to deployments, by host and then status."""
    from prometheus_client.parser import text_string_to_metric_families

    wanted = "\n".join(line for line in text.splitlines() if f'handler="{_HANDLER}"' in line and "_bucket{" not in line)
    found: dict[tuple[str, int], list[float]] = {}
    for family in text_string_to_metric_families(wanted):
        for sample in family.samples:
            host, code = sample.labels.get("host", _UNKNOWN), sample.labels.get("code", "")
            if host in {_UNKNOWN, IDENTITY_HOST} or not code.isdecimal():
                continue
            for place, name in enumerate((f"{_METRIC}_count", f"{_METRIC}_sum")):
                if sample.name == name:
                    found.setdefault((host, int(code)), [0.0, 0.0])[place] += sample.value
    return [Traffic(host, status, int(count), seconds) for (host, status), (count, seconds) in sorted(found.items())]
