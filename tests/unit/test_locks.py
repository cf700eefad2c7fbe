"""Locks on files: between holders of one process as between processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mastra_admin_sdk.locks import hold_lock, try_lock


def test_a_lock_has_one_holder_or_many_who_share(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    only = try_lock(path)
    assert only
    assert try_lock(path) is None
    assert try_lock(path, shared=True) is None
    only.close()
    shared = [try_lock(path, shared=True) for _ in range(2)]
    assert all(shared)
    assert try_lock(path) is None
    for lock in shared:
        assert lock
        lock.close()
    again = try_lock(path)
    assert again
    again.close()
    again.close()


def test_a_lock_whose_file_was_removed_is_no_lock_any_more(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    old = try_lock(path)
    assert old
    path.unlink()
    new = try_lock(path)
    assert new
    assert try_lock(path) is None
    old.close()
    assert try_lock(path) is None
    new.close()


def test_waiting_for_a_lock_has_an_end(tmp_path: Path) -> None:
    held = try_lock(tmp_path / "lock")
    assert held
    with pytest.raises(TimeoutError, match="held by another process"), hold_lock(tmp_path / "lock", timeout=0.02):
        pass
    held.close()
    with hold_lock(tmp_path / "lock", timeout=0.02):
        assert try_lock(tmp_path / "lock") is None


def test_a_holder_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    text = "import sys; from pathlib import Path; from mastra_admin_sdk.locks import try_lock; "
    text += "lock = try_lock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    program = [sys.executable, "-c", text, str(tmp_path / "lock")]
    root = Path(__file__).parents[2]
    with subprocess.Popen(program, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        assert try_lock(tmp_path / "lock") is None
        other.kill()
    lock = try_lock(tmp_path / "lock")
    assert lock
    lock.close()
