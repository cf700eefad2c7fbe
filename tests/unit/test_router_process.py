from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mastra_admin_sdk.adapters.router.caddy import LocalRouter
from mastra_admin_sdk.adapters.router.caddy.listener import open_listener
from mastra_admin_sdk.adapters.router.caddy.options import RouterOptions, check_options
from mastra_admin_sdk.adapters.router.caddy.process import find_socket_path, write_atomically
from mastra_admin_sdk.adapters.router.caddy.program import build_environment, find_program
from mastra_admin_sdk.errors import RouterError, ToolMissing
from mastra_admin_sdk.home import Home, open_home


def make_options(port: int, *, bind: str = "127.0.0.1", tls: str | None = None) -> RouterOptions:
    return check_options(port=port, bind=bind, base_domain="localhost", tls=tls, https_port=8443)


def write_program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_admin_socket_is_in_the_home() -> None:
    assert find_socket_path(Home(Path("/srv/mastra"))) == Path("/srv/mastra/run/caddy.sock")


@pytest.mark.parametrize(
    "home",
    [
        pytest.param("/srv/" + "long/" * 30, id="too-long"),
        pytest.param("/srv/" + "ü" * 50, id="too-many-bytes"),
        pytest.param("/srv/{env.HOME}", id="placeholder"),
        pytest.param("/srv/a|b", id="pipe"),
    ],
)
def test_a_home_that_no_socket_fits_in_has_a_short_private_path(home: str) -> None:
    path = find_socket_path(Home(Path(home)))
    assert path.parent == Path(f"/tmp/mastra-admin-{os.getuid()}")
    assert len(os.fsencode(path)) <= 107
    assert path == find_socket_path(Home(Path(home)))
    assert path != find_socket_path(Home(Path(home + "2")))


def test_the_environment_is_ours_and_a_few_named_variables() -> None:
    given = {"PATH": "/bin", "SECRET": "x", "TZ": "UTC", "HOME": "/root", "https_proxy": "http://p", "LANG": ""}
    found = build_environment(Path("/h"), Path("/h/caddy"), given, proxies=False)
    assert found == {
        "MASTRA_ADMIN_HOME": "/h",
        "HOME": "/h/caddy",
        "XDG_CONFIG_HOME": "/h/caddy/config",
        "XDG_DATA_HOME": "/h/caddy/data",
        "TZ": "UTC",
    }
    assert build_environment(Path("/h"), Path("/h/caddy"), given, proxies=True)["https_proxy"] == "http://p"


def test_the_program_of_the_wheel_is_found() -> None:
    assert Path(find_program()).name == "caddy"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("echo v2.6.2", "is version 2.6.2", id="old"),
        pytest.param("echo unknown", "doesn't say", id="no-version"),
        pytest.param("exit 3", "doesn't run", id="failing"),
    ],
)
def test_a_caddy_that_will_not_do_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ToolMissing, match=message):
        find_program(write_program(tmp_path / "caddy", text))


def test_a_caddy_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="doesn't run"):
        LocalRouter(open_home(tmp_path), port=find_port(), caddy=str(tmp_path / "none")).start()


def test_a_caddy_that_ends_at_once_shows_what_it_said(tmp_path: Path) -> None:
    program = write_program(tmp_path / "caddy", '[ "$1" = version ] && echo v2.11.7 && exit\necho out of luck\nexit 4')
    router = LocalRouter(open_home(tmp_path / "home"), port=find_port(), caddy=program)
    with pytest.raises(RouterError, match="exit code 4") as caught:
        router.start()
    assert caught.value.evidence["log_tail"] == ["out of luck"]
    assert not router.is_running()
    router.stop()


def test_a_taken_port_names_who_has_it() -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        options = make_options(stranger.getsockname()[1])
        with pytest.raises(RouterError, match=f"taken by pid {os.getpid()}") as caught:
            open_listener(options, options.port)
    assert "MASTRA_ADMIN_ROUTER_PORT" in caught.value.hint


def test_an_address_of_another_machine_is_refused() -> None:
    options = make_options(find_port(), bind="192.0.2.1", tls="off")
    with pytest.raises(RouterError, match=r"can't listen on 192\.0\.2\.1") as caught:
        open_listener(options, options.port)
    assert "router_bind" in caught.value.hint


def test_the_port_cannot_be_shared_with_another_program() -> None:
    options = make_options(find_port())
    with open_listener(options, options.port), socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", options.port))


def test_an_atomic_write_leaves_a_private_file_and_nothing_else(tmp_path: Path) -> None:
    write_atomically(tmp_path / "target", "127.0.0.1:1")
    write_atomically(tmp_path / "target", "127.0.0.1:2")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("target", "127.0.0.1:2")]
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o600
