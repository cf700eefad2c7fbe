"""The build backend: setuptools, and before it the browser libraries, so that wheels and editable installs have them.

pip and build call these functions (PEP 517, PEP 660) with the project's folder as the working directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assets import build_assets  # beside this file
from setuptools import build_meta
from setuptools.build_meta import (
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Config = Mapping[str, Any] | None


def build_wheel(folder: str, config: Config = None, metadata: str | None = None) -> str:
    """Build the wheel, with the browser libraries in it."""
    build_assets()
    return str(build_meta.build_wheel(folder, config, metadata))


def build_editable(folder: str, config: Config = None, metadata: str | None = None) -> str:
    """Build what an editable install needs; the browser libraries land in the checkout."""
    build_assets()
    return str(build_meta.build_editable(folder, config, metadata))
