"""Whatever is sent to the API, it answers as its document says, and never fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.api_properties import check_api

SECONDS = 50


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 90)
def test_every_answer_is_one_of_the_document(tmp_path: Path) -> None:
    # Several thousand requests: the edges of each schema, and some by chance; `python -m tests.bench.api` sends more.
    found = check_api(tmp_path / "home", phases=["examples", "coverage", "fuzzing"], examples=3, seconds=SECONDS)
    assert found.code == 0, found.text
    assert "Test cases:" in found.text, found.text
