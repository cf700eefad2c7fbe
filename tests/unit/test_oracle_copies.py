"""The oracles judge from outside: they import nothing of the product."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ORACLES = sorted((Path(__file__).parents[1] / "oracle").glob("*.py"))


@pytest.mark.parametrize("path", ORACLES, ids=lambda path: path.stem)
def test_oracles_import_nothing_of_the_product(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported
    assert not [name for name in imported if name.startswith("mastra_admin")]
