"""Fills the HTML templates of this folder; everything that is put into them is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

_FOLDER = Path(__file__).parent / "templates"


def render_template(name: str, **values: Any) -> str:
    """Return a template of this folder, filled; values are escaped."""
    return _environment().get_template(name).render(**values)


def load_styles() -> str:
    """Return the style sheet that the templates need, for a page that brings it once for all."""
    return (_FOLDER / "display.css").read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    # Not at the top: a script that prints no HTML needn't load it.
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
