"""``mastra-admin doctor``: what this machine has, and how to mend what it lacks."""

from __future__ import annotations

import click

from .failures import ExitCode
from .group import AdminCommand
from .output import paint, wrap
from .session import Session

_NAME_WIDTH = 12


@click.command(cls=AdminCommand)
@click.pass_obj
def doctor(session: Session) -> None:
    """Check Node, Caddy, the engine, ports, disk and home.

    Exit code 1 when something is wrong; each line says how to mend it.
    """
    output = session.output
    with session.open_admin() as admin:
        checks = admin.doctor()
    failed = [check for check in checks if not check.ok]
    for check in checks:
        mark = paint("✓", "good") if check.ok else paint("✗", "bad")
        first, *rest = wrap(check.text, output.width - _NAME_WIDTH - 4)
        output.line(f"{mark} {check.name:<{_NAME_WIDTH}}  {first}")
        more = [*rest, *(wrap(f"→ {check.hint}", output.width - _NAME_WIDTH - 4) if check.hint else ())]
        output.lines(" " * (_NAME_WIDTH + 4) + line for line in more)
    output.line()
    output.line(f"{len(failed)} of {len(checks)} checks failed" if failed else "All is well")
    output.result(
        {
            "ok": not failed,
            "checks": [{"name": item.name, "ok": item.ok, "text": item.text, "hint": item.hint} for item in checks],
        }
    )
    if failed:
        raise click.exceptions.Exit(ExitCode.FAILED)
