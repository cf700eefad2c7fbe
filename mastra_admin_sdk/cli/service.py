"""``mastra-admin service``: the background process as a systemd user service, started at boot."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from mastra_admin_sdk.errors import Conflict, HomeError, ServerError
from mastra_admin_sdk.home import Home, open_home
from mastra_admin_sdk.services.programs.records import end_recorded, find_running
from mastra_admin_sdk.services.programs.spawning import make_environment, make_module_command
from mastra_admin_sdk.settings import Settings

from .following import BACKGROUND
from .group import AdminCommand
from .session import Session
from .units import UNIT, ServiceUnit, read_home, render_unit, render_variables

_VARIABLES = "service.env"
_TIMEOUT = 30.0
_GRACE = 60.0
# systemd knows these by itself, and knows them better at boot; the agent of this session is gone by then.
_OF_SYSTEMD = ("HOME", "USER", "LOGNAME", "TMPDIR", "SSH_AUTH_SOCK", "MASTRA_ADMIN_HOME")


@click.group(short_help="Start the background process at boot.")
def service() -> None:
    """Start the background process at boot, as a systemd user service.

    Servers go on when the service stops, as they do without it.
    """


@service.command(cls=AdminCommand)
@click.pass_obj
def install(session: Session) -> None:
    """Write the unit file, and start the service."""
    home = open_home(session.settings.home)
    place = find_place(session.settings.environment)
    _check_other_home(place, home)
    _write(session.settings, home, place)
    session.output.done(f"Wrote {place}")
    steps = [["daemon-reload"], ["enable", UNIT], ["restart", UNIT]]
    started = _run_steps(session, steps, before_last=lambda: _end_background(session, home))
    if not _lingers():
        session.output.line("  Without a session of yours open, it runs only after:")
        session.output.line(f"  loginctl enable-linger {shlex.quote(getpass.getuser())}")
    session.output.result({"unit": str(place), "home": str(home.path), "started": started, "lingers": _lingers()})


@service.command(cls=AdminCommand)
@click.pass_obj
def uninstall(session: Session) -> None:
    """Stop the service and remove its unit file; servers go on."""
    place = find_place(session.settings.environment)
    home = _read_home(place)
    if home is None:
        session.output.done(f"Nothing to remove: there is no {place}")
    else:
        _run_steps(session, [["disable", "--now", UNIT]])
        place.unlink(missing_ok=True)
        (Path(home) / _VARIABLES).unlink(missing_ok=True)
        _run_steps(session, [["daemon-reload"]])
        session.output.done(f"Removed {place}; servers go on")
    session.output.result({"unit": str(place), "removed": home is not None})


@service.command(cls=AdminCommand)
@click.pass_obj
def status(session: Session) -> None:
    """Show whether the service is installed and runs."""
    place = find_place(session.settings.environment)
    home = _read_home(place)
    found = {
        "unit": str(place),
        "installed": home is not None,
        "home": home,
        "enabled": _ask("is-enabled") if home else None,
        "active": _ask("is-active") if home else None,
        "lingers": _lingers(),
    }
    running = find_running(Home(Path(home)), BACKGROUND) if home else None
    found["background_pid"] = running.pid if running else None
    output = session.output
    if home is None:
        output.line(f"Not installed ({place}).")
        output.line(f"Next: {session.suggest('service install')}")
    else:
        output.lines([f"unit        {place}", f"home        {home}", f"enabled     {found['enabled'] or 'unknown'}"])
        output.line(f"active      {found['active'] or 'unknown'}")
        output.line(f"background  {f'pid {running.pid}' if running else 'not running'}")
        output.line(f"lingers     {'yes' if found['lingers'] else 'no: it ends with your last session'}")
    output.result(found)


def find_place(environment: Mapping[str, str]) -> Path:
    """Return where the unit file of this user belongs."""
    config = environment.get("XDG_CONFIG_HOME") or ""
    base = Path(config) if os.path.isabs(config) else Path(os.path.expanduser("~")) / ".config"
    return base / "systemd" / "user" / UNIT


# --- files ------------------------------------------------------------------------------------------------------------


def _check_other_home(place: Path, home: Home) -> None:
    found = _read_home(place)
    if found is not None and found != str(home.path):
        raise Conflict(
            f"The service is installed for another home: {found}.",
            hint="There is one for each user. Remove that one first: `mastra-admin service uninstall`.",
        )


def _read_home(place: Path) -> str | None:
    """Return the home of the unit that is installed; ``None`` without one.

    Raises:
        Conflict: there is a unit of that name which isn't ours.
    """
    try:
        text = place.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise HomeError(f"The unit file {place} can't be read: {exc}.", hint="Look at its mode.") from exc
    home = read_home(text)
    if home is None:
        raise Conflict(f"{place} wasn't written by mastra-admin.", hint="Move it away, and try again.")
    return home


def _write(settings: Settings, home: Home, place: Path) -> None:
    """Write the unit, and beside the database the settings that it runs with, which may hold secrets."""
    variables = home.path / _VARIABLES
    command = make_module_command("mastra_admin_sdk.cli", "up", "--foreground")
    unit = render_unit(ServiceUnit(command, str(home.path), str(variables)))
    given = make_environment(settings, os.getcwd())
    text = render_variables({name: value for name, value in given.items() if name not in _OF_SYSTEMD})
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _replace(variables, text, 0o600)
        _replace(place, unit, 0o644)
    except OSError as exc:
        raise HomeError(
            f"The service can't be installed: {exc.filename}: {exc.strerror}.", hint="Look at its mode."
        ) from exc


def _replace(path: Path, text: str, mode: int) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


# --- systemd ----------------------------------------------------------------------------------------------------------


def _run_steps(
    session: Session, steps: Sequence[Sequence[str]], *, before_last: Callable[[], object] = lambda: None
) -> bool:
    """Run ``systemctl --user`` with each step; where that can't be reached, say what to run, and return False.

    Raises:
        ServerError: systemd refused a step.
    """
    for place, step in enumerate(steps):
        if place == len(steps) - 1 and place:
            before_last()
        done = _systemctl(*step)
        if not done.is_there:
            session.output.line(f"  systemd can't be reached from here{f' ({done.text})' if done.text else ''}. Run:")
            session.output.lines(f"  {shlex.join(['systemctl', '--user', *left])}" for left in steps[place:])
            return False
        if done.exit_code:
            raise ServerError(
                f"`{shlex.join(['systemctl', '--user', *step])}` failed with exit code {done.exit_code}.",
                hint=f"Look at `journalctl --user -u {UNIT}`.",
                evidence={"output": done.text.splitlines()},
            )
    return True


@dataclass(frozen=True, slots=True)
class _Done:
    """What systemctl said; ``is_there`` is false when it, or the manager that it talks to, isn't."""

    is_there: bool
    exit_code: int = 0
    text: str = ""


def _systemctl(*arguments: str) -> _Done:
    program = shutil.which("systemctl")
    if program is None:
        return _Done(is_there=False)
    command = [program, "--user", "--no-pager", *arguments]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return _Done(is_there=False, text=f"no answer within {_TIMEOUT:.0f} s")
    text = (found.stdout + found.stderr).strip()
    # A container, or a shell that `su` opened, has no manager of the user's own.
    return _Done(is_there="connect to bus" not in text, exit_code=found.returncode, text=text)


def _ask(question: str) -> str | None:
    """Return what systemd says of the unit, such as ``enabled`` or ``inactive``; ``None`` when it can't be asked."""
    done = _systemctl(question, UNIT)
    return done.text if done.is_there else None


def _end_background(session: Session, home: Home) -> None:
    """What `up` started does the same work, and only one process may: the service takes it over."""
    found = end_recorded(home, BACKGROUND, grace=_GRACE)
    if found:
        session.output.line(f"  Ended the background process that `up` had started (pid {found.pid})")


def _lingers() -> bool:
    """True when the services of this user run without a session of theirs."""
    return Path("/var/lib/systemd/linger", getpass.getuser()).exists()
