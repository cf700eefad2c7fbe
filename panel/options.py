"""How one panel is set up, apart from what it shows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PanelOptions:
    """What a panel needs besides a `MastraAdmin`.

    ``hosts`` are further names under which it may be opened, with any port: those of a proxy in front of it.
    ``cors_origins`` are those of pages elsewhere that may use the API with a token. ``ping_seconds`` is how long a
    websocket stays silent at most.
    """

    token: str = field(repr=False)
    bind: str
    port: int
    hosts: tuple[str, ...] = ()
    ping_seconds: float = 15.0
    cors_origins: tuple[str, ...] = ()
