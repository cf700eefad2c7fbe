"""What is run, with which arguments and environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mastra_admin_sdk.adapters.runner.local.commands import (
    drain_milliseconds,
    make_add,
    make_build_environment,
    make_install,
    make_mastra_build,
    make_server_environment,
    merge_node_options,
    pick_base,
)
from mastra_admin_sdk.adapters.runner.local.hints import suggest_next
from mastra_admin_sdk.models import Artifact, PackageManager, ServerSpec
from mastra_admin_sdk.services.environment.secrets import find_reservation

CALLER = {
    "PATH": "/usr/bin",
    "HOME": "/home/ada",
    "LANG": "C.UTF-8",
    "TZ": "Europe/Berlin",
    "https_proxy": "http://proxy:3128",
    "NODE_EXTRA_CA_CERTS": "/etc/ca.pem",
    "AWS_SECRET_ACCESS_KEY": "of the caller",
    "NODE_OPTIONS": "--inspect",
    "PYTHONPATH": "/somewhere",
    "npm_config_prefix": "/opt",
}
TOOLS = Path("/tools/bin")
PRELOAD = Path("/a home/node/activate.mjs")


def make_spec(**fields: Any) -> ServerSpec:
    values: dict[str, Any] = {
        "process_id": "process-1",
        "project_id": "project-1",
        "deployment_id": "deployment-1",
        "build_id": "build-1",
        "artifact": Artifact(Path("/home/artifacts/b1"), "index.mjs", "/node", "24.0.0", "1.71.0", None),
        "host": "127.0.0.1",
        "port": 4100,
        "data_dir": Path("/data"),
        "telemetry_dir": Path("/telemetry"),
        "log_path": Path("/log"),
    }
    return ServerSpec(**{**values, **fields})


def make_environment(**env: str) -> dict[str, str]:
    return make_server_environment(make_spec(env=env), pick_base(CALLER, TOOLS), Path("/a home"), PRELOAD)


def test_of_the_callers_environment_only_what_is_needed_is_kept() -> None:
    assert pick_base(CALLER, TOOLS) == {
        "PATH": "/tools/bin:/usr/bin",
        "HOME": "/home/ada",
        "LANG": "C.UTF-8",
        "TZ": "Europe/Berlin",
        "https_proxy": "http://proxy:3128",
        "NODE_EXTRA_CA_CERTS": "/etc/ca.pem",
    }


def test_an_empty_environment_still_has_a_path() -> None:
    assert pick_base({}, TOOLS) == {"PATH": "/tools/bin:/usr/local/bin:/usr/bin:/bin"}


def test_every_variable_that_ours_replaces_is_one_that_cannot_be_set() -> None:
    names = [*make_environment(), "MASTRA_STUDIO_PATH"]
    found = make_environment(**dict.fromkeys(names, "theirs"))
    replaced = {name for name in names if "theirs" not in found[name]}
    assert "PORT" in replaced
    assert [name for name in replaced if not find_reservation(name)] == []
    assert [name for name in set(names) - replaced if find_reservation(name)] == []


def test_a_server_gets_the_projects_variables_and_ours_win() -> None:
    env = make_environment(API_KEY="secret", PORT="1", MASTRA_HOST="0.0.0.0", MASTRA_ADMIN_HOME="/elsewhere", TZ="UTC")
    assert env["API_KEY"] == "secret"
    assert env["TZ"] == "UTC"
    assert (env["PORT"], env["MASTRA_HOST"], env["MASTRA_ADMIN_HOME"]) == ("4100", "127.0.0.1", "/a home")
    assert json.loads(env["MASTRA_ADMIN_SERVER"]) == {"port": 4100, "host": "127.0.0.1", "drainTimeout": 55000}
    assert "AWS_SECRET_ACCESS_KEY" not in env


def test_a_server_is_told_who_it_is_and_where_its_telemetry_goes() -> None:
    env = make_environment()
    expected = {
        "MASTRA_TELEMETRY_DISABLED": "1",
        "MASTRA_CLOUD_TRACES_TARGET_DIR": "/telemetry/spans",
        "MASTRA_RUNNER_LOGS_TARGET_DIR": "/telemetry/logs",
        "MASTRA_PROJECT_ID": "project-1",
        "MASTRA_DEPLOYMENT_ID": "deployment-1",
        "MASTRA_BUILD_ID": "build-1",
        "MASTRA_ADMIN_PROCESS_ID": "process-1",
        "MASTRA_ADMIN_ENTRY": "/home/artifacts/b1/index.mjs",
        "MASTRA_ADMIN_STATUS_FILE": "/telemetry/status.json",
        "NODE_ENV": "production",
    }
    assert {name: env[name] for name in expected} == expected


def test_ids_of_the_projects_own_stay_and_ours_go_beside_them() -> None:
    env = make_environment(MASTRA_PROJECT_ID="on the platform")
    assert env["MASTRA_PROJECT_ID"] == "on the platform"
    assert env["MASTRA_ADMIN_PROJECT_ID"] == "project-1"
    assert env["MASTRA_BUILD_ID"] == "build-1"
    assert "MASTRA_ADMIN_BUILD_ID" not in env


def test_the_tracing_module_is_told_the_names_of_what_is_secret() -> None:
    spec = make_spec(env={"API_KEY": "secret", "URL": "https://example.com"}, redact=("secret",))
    env = make_server_environment(spec, {}, Path("/home"), PRELOAD)
    assert env["MASTRA_ADMIN_SECRET_NAMES"] == "API_KEY"


def test_a_project_may_choose_its_node_env() -> None:
    assert make_environment(NODE_ENV="development")["NODE_ENV"] == "development"


@pytest.mark.parametrize(
    ("options", "merged"),
    [
        pytest.param("", "--import=file:///a%20home/node/activate.mjs", id="none"),
        pytest.param(
            "--max-old-space-size=512 --require ./x.cjs",
            "--import=file:///a%20home/node/activate.mjs --max-old-space-size=512 --require ./x.cjs",
            id="of-the-project",
        ),
    ],
)
def test_the_projects_node_options_stay_and_ours_come_before_them(options: str, merged: str) -> None:
    assert merge_node_options(options, PRELOAD) == merged


@pytest.mark.parametrize(("seconds", "milliseconds"), [(60, 55000), (10, 5000), (4, 2000), (0, 0)])
def test_mastra_stops_waiting_for_requests_before_the_grace_period_ends(seconds: float, milliseconds: int) -> None:
    assert drain_milliseconds(seconds) == milliseconds


def test_an_install_sees_nothing_of_the_project() -> None:
    env = make_build_environment(pick_base(CALLER, TOOLS), Path("/a home"), "build-1")
    assert env["MASTRA_ADMIN_HOME"] == "/a home"
    assert env["CI"] == "1"
    assert env["MASTRA_TELEMETRY_DISABLED"] == "1"
    assert env["npm_config_audit"] == "false"
    assert "NODE_ENV" not in env
    assert "NODE_OPTIONS" not in env


def test_a_project_can_not_hide_its_build_from_us() -> None:
    command = make_mastra_build(Path("/node"), Path("cli.js"), {"API_URL": "x", "MASTRA_ADMIN_HOME": "y", "PATH": "z"})
    assert {name: command.env[name] for name in ("API_URL", "MASTRA_TELEMETRY_DISABLED")} == {
        "API_URL": "x",
        "MASTRA_TELEMETRY_DISABLED": "1",
    }
    assert not {"MASTRA_ADMIN_HOME", "PATH"} & command.env.keys()
    assert command.text == "mastra build"
    assert command.argv == ("/node", "cli.js", "build")


@pytest.mark.parametrize(
    ("manager", "locked", "expected"),
    [
        pytest.param(PackageManager.NPM, True, "npm ci --include=dev", id="npm-locked"),
        pytest.param(PackageManager.NPM, False, "npm install --include=dev", id="npm"),
        pytest.param(PackageManager.PNPM, True, "pnpm install --frozen-lockfile", id="pnpm-locked"),
        pytest.param(PackageManager.PNPM, False, "pnpm install --no-frozen-lockfile", id="pnpm"),
        pytest.param(PackageManager.YARN, True, "yarn install --frozen-lockfile", id="yarn-locked"),
        pytest.param(PackageManager.BUN, True, "bun install --frozen-lockfile", id="bun-locked"),
        pytest.param(PackageManager.BUN, False, "bun install", id="bun"),
    ],
)
def test_each_package_manager_installs_as_its_lock_file_says(
    manager: PackageManager, locked: bool, expected: str
) -> None:
    assert make_install(manager, ["/program"], has_lockfile=locked).text == expected


def test_yarn_2_is_asked_in_its_own_words() -> None:
    command = make_install(PackageManager.YARN, ["/yarn"], has_lockfile=True, is_modern_yarn=True)
    assert command.argv == ("/yarn", "install", "--immutable")


def test_npm_adds_a_package_without_noting_it_down() -> None:
    command = make_add(PackageManager.NPM, ["/node", "/npm-cli.js"], "mastra@1.31.0")
    assert command.argv == ("/node", "/npm-cli.js", "install", "--no-save", "--include=dev", "mastra@1.31.0")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("npm error code ERESOLVE", "exclude each other", id="conflict"),
        pytest.param("ENOSPC: no space left on device", "disk is full", id="disk"),
        pytest.param("getaddrinfo ENOTFOUND registry", "network", id="network"),
        pytest.param("something else", "last lines", id="unknown"),
    ],
)
def test_a_failed_command_says_what_to_do(line: str, words: str) -> None:
    assert words in suggest_next(["first", line])
