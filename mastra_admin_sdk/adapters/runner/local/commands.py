"""Pure: what to run, with which arguments and which environment. Nothing here touches the machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mastra_admin_sdk.models import PackageManager, ServerSpec

from .processes import BUILD_MARKER, COMMAND_MARKER, HOME_MARKER, SERVER_MARKER

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
_CERTIFICATES = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR")
STUDIO_FOLDER = "studio"
"""Where `mastra build --studio` puts the Studio in its output."""

_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
_QUIET_NPM = {
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_update_notifier": "false",
    "npm_config_progress": "false",
    "npm_config_yes": "true",
    # npm waits five minutes for an answer that was lost on the way; asking again after one loses less time.
    "npm_config_fetch_timeout": "60000",
}
# A version that a lock file or the first install has fixed is taken from npm's cache without asking the registry again.
_FROM_CACHE = {"npm_config_prefer_offline": "true"}


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its arguments, and how people would type it. ``env`` comes on top of the build's environment.

    A query (``is_query``) is run for what it prints.
    """

    argv: tuple[str, ...]
    shown: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_query: bool = False

    @property
    def text(self) -> str:
        """The command as typed."""
        return " ".join(self.shown)


# --- environments -----------------------------------------------------------------------------------------------------


def pick_base(environment: Mapping[str, str], tools: Path) -> dict[str, str]:
    """Return what every process gets of the caller's environment: PATH (ours first), HOME, language, proxies, CAs."""
    names = [*_KEPT, *_PROXIES, *(name.lower() for name in _PROXIES), *_CERTIFICATES]
    kept = {name: environment[name] for name in names if environment.get(name)}
    return {**kept, "PATH": f"{tools}:{environment.get('PATH') or _DEFAULT_PATH}"}


def pick_network(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a program needs to reach the registry from here: certificates, and proxies that hold no password."""
    names = [*_PROXIES, *(name.lower() for name in _PROXIES), *_CERTIFICATES]
    return {name: environment[name] for name in names if environment.get(name) and "@" not in environment[name]}


def make_build_environment(base: Mapping[str, str], home: Path, build_id: str) -> dict[str, str]:
    """Return the environment of a build's commands; nothing of the project is in it."""
    ours = {HOME_MARKER: str(home), BUILD_MARKER: build_id, "MASTRA_TELEMETRY_DISABLED": "1", "CI": "1"}
    return {**base, **_QUIET_NPM, **ours}


def make_manager_environment(
    kind: PackageManager, major: int | None, cache: Path, environment: Mapping[str, str]
) -> dict[str, str]:
    """Return what a package manager is told besides its arguments: its caches lie in ours, and it is the one we chose.

    A project's own files still say which registry it uses. npm keeps its cache where the user has it.
    """
    match kind:
        case PackageManager.PNPM:
            return _make_pnpm_environment(cache / "pnpm", major or 0)
        case PackageManager.YARN if major != 1:
            return _make_yarn_environment(cache / "yarn", environment)
        case PackageManager.YARN:
            return {"YARN_CACHE_FOLDER": str(cache / "yarn" / "classic")}
        case PackageManager.BUN:
            return {"BUN_INSTALL_CACHE_DIR": str(cache / "bun"), "BUN_INSTALL": str(cache / "bun")}
        case _:
            return {}


def _make_pnpm_environment(cache: Path, major: int) -> dict[str, str]:
    settings = {
        "store_dir": str(cache / "store"),
        "cache_dir": str(cache / "metadata"),
        "state_dir": str(cache / "state"),
        # A hard link into the store would let an app's install script change what the next build gets.
        "package_import_method": "clone-or-copy" if major >= 8 else "copy",
        "manage_package_manager_versions": "false",
        "package_manager_strict": "false",
        "ignore_workspace_root_check": "true",
        "strict_dep_builds": "false",
        "update_notifier": "false",
    }
    # From version 11 on pnpm reads variables of its own name only.
    return {f"{prefix}_config_{name}": value for name, value in settings.items() for prefix in ("npm", "pnpm")}


def _make_yarn_environment(cache: Path, environment: Mapping[str, str]) -> dict[str, str]:
    proxies = {
        f"YARN_{name}": value
        for name in ("HTTP_PROXY", "HTTPS_PROXY")
        if (value := environment.get(name) or environment.get(name.lower()))
    }
    return {
        **proxies,
        "YARN_NODE_LINKER": "node-modules",
        "YARN_GLOBAL_FOLDER": str(cache / "modern"),
        "YARN_ENABLE_GLOBAL_CACHE": "true",
        "YARN_ENABLE_TELEMETRY": "false",
        "YARN_ENABLE_PROGRESS_BARS": "false",
        # The yarn that a project brings along is chosen by us; started by name it must not hand over to another one.
        "YARN_IGNORE_PATH": "true",
    }


def make_server_environment(spec: ServerSpec, base: Mapping[str, str], home: Path, preload: Path) -> dict[str, str]:
    """Return the environment of a server: the base, then the project's variables, then ours, which win."""
    ours = {
        "PORT": str(spec.port),
        "MASTRA_HOST": spec.host,
        "MASTRA_TELEMETRY_DISABLED": "1",
        "MASTRA_CLOUD_TRACES_TARGET_DIR": str(spec.telemetry_dir / "spans"),
        "MASTRA_RUNNER_LOGS_TARGET_DIR": str(spec.telemetry_dir / "logs"),
        **_name_ids(spec),
        "MASTRA_ADMIN_PROCESS_ID": spec.process_id,
        SERVER_MARKER: spec.process_id,
        HOME_MARKER: str(home),
        "MASTRA_ADMIN_ENTRY": str(find_entry(spec)),
        "MASTRA_ADMIN_STATUS_FILE": str(spec.telemetry_dir / "status.json"),
        "MASTRA_ADMIN_SERVER": json.dumps(
            {"port": spec.port, "host": spec.host, "drainTimeout": drain_milliseconds(spec.drain_seconds)}
        ),
        "MASTRA_ADMIN_SECRET_NAMES": ",".join(sorted(name for name, value in spec.env.items() if value in spec.redact)),
        **({"MASTRA_ADMIN_TELEMETRY_POLICY": spec.telemetry_policy} if spec.telemetry_policy else {}),
        "NODE_OPTIONS": merge_node_options(spec.env.get("NODE_OPTIONS", ""), preload),
    }
    return {**base, "NODE_ENV": "production", **_point_to_studio(spec), **spec.env, **ours}


def _point_to_studio(spec: ServerSpec) -> dict[str, str]:
    """Tell Mastra where the Studio lies that was built, and the Studio to call the address that it was opened at.

    By itself it would call the server's own port, which no other machine reaches and each start changes.
    """
    if spec.artifact.studio is None:
        return {}
    folder = spec.artifact.path.absolute() / STUDIO_FOLDER
    return {"MASTRA_STUDIO_PATH": str(folder), "MASTRA_AUTO_DETECT_URL": "true"}


def _name_ids(spec: ServerSpec) -> dict[str, str]:
    """Return the variables that hold our ids; where the project has a variable of that name, it keeps it."""
    ids = {"PROJECT": spec.project_id, "DEPLOYMENT": spec.deployment_id, "BUILD": spec.build_id}
    return {
        f"MASTRA_ADMIN_{name}_ID" if f"MASTRA_{name}_ID" in spec.env else f"MASTRA_{name}_ID": value
        for name, value in ids.items()
    }


def find_entry(spec: ServerSpec) -> Path:
    """Return the absolute path of the program that the server runs, as Node sees it in ``process.argv[1]``."""
    return spec.artifact.path.absolute() / spec.artifact.entry


def merge_node_options(options: str, preload: Path) -> str:
    """Return a project's NODE_OPTIONS with our module before it: it cleans the environment that others then see.

    Node splits the variable at spaces, so the path is percent-encoded.
    """
    return f"--import={preload.as_uri()} {options}".strip()


def drain_milliseconds(seconds: float) -> int:
    """Return how long Mastra itself may wait for open requests.

    It ends a little before the grace period does, so that the last telemetry is written before SIGKILL comes.
    """
    return int(1000 * max(seconds / 2, seconds - 5))


# --- commands of a build ----------------------------------------------------------------------------------------------


def make_install(
    manager: PackageManager, program: Sequence[str], *, has_lockfile: bool, is_modern_yarn: bool = False
) -> Command:
    """Return the command that installs a project's dependencies: as its lock file says, if it has one."""
    match manager:
        case PackageManager.NPM:
            arguments = ["ci", "--include=dev"] if has_lockfile else ["install", "--include=dev"]
        case PackageManager.YARN if is_modern_yarn:
            arguments = ["install", *(["--immutable"] if has_lockfile else ["--no-immutable"])]
        case PackageManager.PNPM if not has_lockfile:
            arguments = ["install", "--no-frozen-lockfile"]
        case _:
            arguments = ["install", *(["--frozen-lockfile"] if has_lockfile else [])]
    command = _command(manager, program, arguments)
    return replace(command, env=_FROM_CACHE) if has_lockfile else command


def make_add(manager: PackageManager, program: Sequence[str], *packages: str, is_alone: bool = False) -> Command:
    """Return the command that adds packages to an installed folder; only npm can do it without noting it down.

    ``is_alone``: the folder is no member of the workspace that it lies in.
    """
    match manager:
        case PackageManager.NPM:
            arguments = ["install", "--no-save", "--include=dev", *packages]
        case PackageManager.PNPM:
            arguments = ["add", *(["--ignore-workspace"] if is_alone else []), *packages]
        case _:
            arguments = ["add", *packages]
    return _command(manager, program, arguments)


def make_tool_install(npm: Sequence[str], package: str) -> Command:
    """Return the command that installs one program into the current folder, without running anything of it."""
    arguments = ["install", "--prefix", ".", "--no-save", "--no-package-lock", "--ignore-scripts", package]
    return _command(PackageManager.NPM, npm, arguments)


def make_run(manager: PackageManager, program: Sequence[str], script: str) -> Command:
    """Return the command that runs a script of package.json."""
    return _command(manager, program, ["run", script])


def make_view(npm: Sequence[str], package: str) -> Command:
    """Return the command that prints what is published of a package, for `matching.parse_candidates`."""
    arguments = [
        "view",
        f"{package}@>=0.0.0",
        "version",
        "devDependencies",
        "peerDependencies",
        "dependencies",
        "--json",
    ]
    return replace(_command(PackageManager.NPM, npm, arguments), is_query=True)


def make_fetch(npm: Sequence[str], package: str) -> Command:
    """Return the command that puts a package into npm's cache, so that a later install needn't ask for it."""
    return _command(PackageManager.NPM, npm, ["cache", "add", package])


def make_mastra_build(node: Path, cli: Path, env: Mapping[str, str], *, studio: bool = False) -> Command:
    """Return the command that builds a project with its own CLI; ``env`` are the project's variables.

    With ``studio`` Mastra's Studio is put into the output and served with the app.
    """
    # What keeps the build ours and findable can't be changed by a project.
    ours = {"PATH", HOME_MARKER, BUILD_MARKER, COMMAND_MARKER}
    allowed = {name: value for name, value in env.items() if name not in ours}
    fixed = {**_FROM_CACHE, **allowed, "MASTRA_TELEMETRY_DISABLED": "1"}
    arguments = ("build", "--studio") if studio else ("build",)
    return Command((str(node), str(cli), *arguments), ("mastra", *arguments), fixed)


def _command(manager: PackageManager, program: Sequence[str], arguments: Sequence[str]) -> Command:
    return Command((*program, *arguments), (manager.value, *arguments))


# --- our own small processes ------------------------------------------------------------------------------------------

# Isolated and without site: nothing of the user's Python set-up is read, start-up is quick and memory small. os._exit:
# nothing of the interpreter's shutdown may fail after the work is done.
_BOOT = (
    "import os, sys; sys.path.insert(0, sys.argv[1]); from importlib import import_module; "
    "os._exit(import_module(sys.argv[2]).main(sys.argv[3:]))"
)


def make_python_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Return how to run ``main(arguments)`` of a module beside this one in a process of its own."""
    root = Path(__file__).resolve().parents[4]
    return (sys.executable, "-I", "-S", "-c", _BOOT, str(root), f"{__package__}.{module}", *arguments)
