"""Who is who among processes: a pid alone is never enough."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mastra_admin_sdk.host import boot_id, is_alive, make_owner_id, owner_is_gone, start_ticks, user_name


def test_this_process_is_alive_and_a_later_one_with_its_pid_is_not() -> None:
    ticks = start_ticks(os.getpid())
    assert is_alive(os.getpid(), ticks, boot_id())
    assert not is_alive(os.getpid(), (ticks or 0) + 1, boot_id())
    assert not is_alive(os.getpid(), ticks, "another-boot")
    assert not is_alive(None, None, None)


def test_an_ended_process_and_a_zombie_are_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    ticks = start_ticks(process.pid)
    assert is_alive(process.pid, ticks, boot_id())
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert start_ticks(process.pid) is None
    process.communicate()
    assert not is_alive(process.pid, ticks, boot_id())


def test_owners_of_this_host_are_told_apart() -> None:
    owner = make_owner_id()
    assert owner_is_gone(owner) is False
    assert owner != make_owner_id()
    host, boot, pid, ticks, nonce = owner.split("/")
    assert owner_is_gone("/".join([host, boot, pid, str(int(ticks) + 1), nonce])) is True
    assert owner_is_gone("/".join([host, "old-boot", pid, ticks, nonce])) is True


def test_owners_elsewhere_and_rubbish_are_unknown() -> None:
    assert owner_is_gone("elsewhere/boot/1/1/x") is None
    assert owner_is_gone("rubbish") is None


def test_a_user_without_a_name_goes_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", fail)
    assert user_name() == str(os.getuid())
