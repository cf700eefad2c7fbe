"""Removing folders, also while somebody else removes them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from mastra_admin_sdk import folders


def test_a_write_protected_folder_goes(tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").touch()
    for path in (folder / "inner", folder):
        path.chmod(0o555)
    folders.remove_tree(folder)
    folders.remove_tree(folder)
    assert not folder.exists()


def test_a_folder_that_somebody_else_removes_at_the_same_time_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "artifact"
    (folder / "inner" / "deep").mkdir(parents=True)
    chmod = os.chmod

    def come_late(path: Any, mode: int, **options: Any) -> None:
        if str(path).endswith("inner"):
            shutil.rmtree(folder)
        chmod(path, mode, **options)

    monkeypatch.setattr(os, "chmod", come_late)
    folders.remove_tree(folder)
    assert not folder.exists()
