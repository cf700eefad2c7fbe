"""Colours of charts, light and dark (pure). A figure has none of its own: a theme is a patch on top of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.errors import InvalidInput

TONE = "tone"
"""The key in a trace's ``meta`` that says which colour it has: a role, or a number in the row of colours."""

STRIPES: Mapping[str, Any] = {"pattern": {"shape": "/", "size": 5, "solidity": 0.25}}
"""The marks of what failed: red beside blue isn't told apart by everybody."""

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down")


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of one theme; each of ``series`` and ``roles`` has a contrast of 3 to 1 on ``ground`` at least."""

    name: str
    ground: str
    text: str
    muted: str
    grid: str
    series: tuple[str, ...]
    roles: Mapping[str, str]


LIGHT = Theme(
    name="light",
    ground="#ffffff",
    text="#182030",
    muted="#586272",
    grid="#dfe3e9",
    series=("#1f5fd6", "#b45309", "#0f766e", "#9333a8", "#4d7c0f", "#be185d", "#0e7490", "#6b5b4b"),
    roles={"good": "#1f5fd6", "bad": "#b3261e", "quiet": "#7b8594"},
)
DARK = Theme(
    name="dark",
    ground="#171b22",
    text="#e5e9ef",
    muted="#9aa5b4",
    grid="#2a313c",
    series=("#86b0ff", "#f0a35e", "#4fd1c0", "#dc9bf0", "#a8d36a", "#ff8fb8", "#5fc7ea", "#cdb79d"),
    roles={"good": "#86b0ff", "bad": "#ff8a80", "quiet": "#8793a3"},
)
THEMES: Mapping[str, Theme] = {theme.name: theme for theme in (LIGHT, DARK)}


def find_theme(name: str) -> Theme:
    """Return a theme by its name; `InvalidInput` when there is none of that name."""
    if name not in THEMES:
        raise InvalidInput(f"There is no theme {name!r}.", hint=f"There are: {', '.join(THEMES)}.")
    return THEMES[name]


def make_patch(figure: Mapping[str, Any], theme: Theme) -> dict[str, Any]:
    """Return what a theme adds to a figure: ``layout``, and one entry of ``data`` for each trace.

    Whoever draws merges it into the figure; a change of theme merges another one over it.
    """
    return {"data": [_paint(trace, theme) for trace in figure["data"]], "layout": _paint_layout(theme)}


def apply_patch(figure: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return a figure with a patch merged into a copy of it."""
    merged = copy.deepcopy(dict(figure))
    for trace, change in zip(merged["data"], patch["data"], strict=True):
        _merge(trace, change)
    _merge(merged["layout"], patch["layout"])
    return merged


def dress_line(number: int) -> dict[str, Any]:
    """Return how one line is told from others without its colour: dashes and marks."""
    return {
        "line": {"width": 2, "dash": _DASHES[number % len(_DASHES)]},
        "marker": {"size": 6, "symbol": _SYMBOLS[number % len(_SYMBOLS)]},
    }


def find_color(tone: Any, theme: Theme) -> str:
    """Return the colour of a role, or of a place in the row of colours."""
    return theme.roles[tone] if tone in theme.roles else theme.series[int(tone) % len(theme.series)]


def _paint(trace: Mapping[str, Any], theme: Theme) -> dict[str, Any]:
    color = find_color(trace["meta"][TONE], theme)
    if trace["type"] == "scatter":
        return {"line": {"color": color}, "marker": {"color": color}}
    return {"marker": {"color": color, "line": {"color": theme.ground, "width": 0.5}, **_paint_pattern(trace, theme)}}


def _paint_pattern(trace: Mapping[str, Any], theme: Theme) -> dict[str, Any]:
    return {"pattern": {"fgcolor": theme.ground, "fillmode": "overlay"}} if "pattern" in trace.get("marker", {}) else {}


def _paint_layout(theme: Theme) -> dict[str, Any]:
    axis = {"gridcolor": theme.grid, "linecolor": theme.grid, "zerolinecolor": theme.grid, "tickcolor": theme.grid}
    texts = {"tickfont": {"color": theme.muted}, "title": {"font": {"color": theme.muted}}}
    return {
        "paper_bgcolor": theme.ground,
        "plot_bgcolor": theme.ground,
        "font": {"color": theme.text},
        "title": {"font": {"color": theme.text}},
        "legend": {"font": {"color": theme.text}, "bgcolor": "rgba(0,0,0,0)"},
        "hoverlabel": {"bgcolor": theme.ground, "bordercolor": theme.grid, "font": {"color": theme.text}},
        "xaxis": {**axis, **texts},
        "yaxis": {**axis, **texts},
    }


def _merge(target: dict[str, Any], change: Mapping[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, Mapping) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = copy.deepcopy(value)
