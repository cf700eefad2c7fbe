"""Plotly's script, out of the installed package: nothing is fetched from the internet."""

from __future__ import annotations

import base64
import gzip
import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mastra_admin_sdk.errors import ToolMissing

_VERSION = re.compile(r"plotly\.js v([\w.-]+)")
_STYLE_ID = re.compile(r'getElementById\("([0-9a-f]{64})"\)')


@dataclass(frozen=True, slots=True)
class PlotlyScript:
    """The script.

    ``style_ids`` are ids of style elements that it would add for maps when it is loaded, unless elements with these ids
    are there: a page whose policy allows no inline styles has them.
    """

    path: Path
    version: str
    style_ids: tuple[str, ...]

    def read(self) -> bytes:
        """Return its text."""
        return self.path.read_bytes()


@cache
def find_script() -> PlotlyScript:
    """Return where the script is and what it is; it is read once.

    Raises:
        ToolMissing: the package plotly isn't installed, or has none.
    """
    spec = importlib.util.find_spec("plotly")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = next((Path(each, "package_data", "plotly.min.js") for each in folders), None)
    if path is None or not path.is_file():
        raise ToolMissing("Plotly's script isn't installed.", hint="pip install plotly")
    text = path.read_text(encoding="utf-8")
    version = _VERSION.search(text[:500])
    return PlotlyScript(path, version[1] if version else "unknown", tuple(dict.fromkeys(_STYLE_ID.findall(text))))


@cache
def pack_script() -> bytes:
    """Return the script compressed with gzip, the same each time."""
    return gzip.compress(find_script().read(), compresslevel=9, mtime=0)


@cache
def load_packed_script() -> str:
    """Return the script as text that a page unpacks: gzip in base64, 2 MB instead of 5."""
    return base64.b64encode(pack_script()).decode("ascii")
