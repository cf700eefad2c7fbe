"""What docs/compatibility.md says is what happens: read for all versions, tried on the oldest line and the newest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from filelock import FileLock
from fixtures.servers import open_clean_home

from mastra_admin_sdk.home import Home
from tests.bench.compatibility import MANAGERS, VERSIONS, Finding, try_manager, try_version
from tests.bench.compatibility_table import DOCUMENT, make_cells, read_table, write_tables


@pytest.fixture
def home(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    # Two installs at once would starve everything else on a small machine.
    with (
        FileLock(tmp_path_factory.getbasetemp().parent / "compatibility.lock"),
        open_clean_home(tmp_path / "h") as made,
    ):
        yield made


def test_the_document_has_a_row_for_each_version_and_manager_that_is_tried() -> None:
    assert tuple(read_table(DOCUMENT, "versions")) == VERSIONS
    named = list(read_table(DOCUMENT, "managers"))
    assert len(named) == len(MANAGERS)
    for row, manager in zip(named, MANAGERS, strict=True):
        assert row.startswith(f"{manager.split()[0]}@")


def test_findings_are_written_into_the_document_and_read_back(tmp_path: Path) -> None:
    document = tmp_path / "compatibility.md"
    document.write_text("# Title\n\n<!-- versions -->\nold\n<!-- end of versions -->\n\nMore.\n")
    found = asdict(Finding("1.0.4", cli="1.0.1", builds=True, runs=True, health=200, console=2))
    write_tables(document, [found], [])
    assert document.read_text().endswith("| no | no | yes |\n<!-- end of versions -->\n\nMore.\n")
    row = read_table(document, "versions")["1.0.4"]
    assert (row["built by"], row["builds"], row["traced"]) == ("mastra 1.0.1", "yes", "no")
    assert make_cells(found).items() <= row.items()


@pytest.mark.slow
@pytest.mark.mastra
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", ["0.24.9", "1.71.0"])
def test_a_version_does_what_the_document_says(home: Home, version: str) -> None:
    found = try_version(home, version)
    assert found.trouble == ""
    assert make_cells(asdict(found)).items() <= read_table(DOCUMENT, "versions")[version].items()


@pytest.mark.slow
@pytest.mark.mastra
@pytest.mark.timeout(900)
def test_a_project_locked_by_pnpm_does_what_the_document_says(home: Home) -> None:
    found = try_manager(home, "pnpm")
    assert found.trouble == ""
    assert make_cells(asdict(found)).items() <= read_table(DOCUMENT, "managers")[found.manager].items()
