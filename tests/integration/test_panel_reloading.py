"""The panel for developers starts anew when its code changes, and ends as one program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from fixtures.quick import find_free_port, wait_until

from mastra_admin_panel.reloading import stamp_files
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.services.programs.records import find_running

WATCH = "import sys, pathlib; from mastra_admin_panel.reloading import run_reloading as run; "
RUN = WATCH + "sys.exit(run(sys.argv[2:], [pathlib.Path(sys.argv[1])]))"


def answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_code_and_templates_are_looked_at_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a.py", "parts/b.html", "static/c.js", "static/d.py", "parts/__pycache__/e.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert {path.name for path in stamp_files([tmp_path])} == {"a.py", "b.html"}


@pytest.mark.slow  # two starts of the panel
def test_a_change_starts_the_panel_anew_and_a_signal_ends_both(tmp_path: Path) -> None:
    code, home, port = tmp_path / "code", open_home(tmp_path / "home"), find_free_port()
    code.mkdir()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", RUN, str(code), "--home", str(home.path), "--port", str(port)]
    env = {**os.environ, "MASTRA_ADMIN_HOME": str(home.path)}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as watcher:
        try:
            wait_until(lambda: answers(url), what="The first panel")
            first = find_running(home, "panel")
            assert first is not None
            (code / "view.py").write_text("changed = True\n")
            wait_until(lambda: not first.is_running, what="The end of the first panel")
            wait_until(lambda: answers(url), what="The second panel")
            second = find_running(home, "panel")
            assert second is not None
            assert second.pid != first.pid
            watcher.send_signal(signal.SIGTERM)
            _, said = watcher.communicate(timeout=30)
        finally:
            watcher.kill()
    assert watcher.returncode == 0
    assert "view.py has changed" in said
    assert not second.is_running
