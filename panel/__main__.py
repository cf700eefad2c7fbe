"""``python -m mastra_admin_panel``: run the panel of a home."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mastra_admin_sdk.errors import MastraAdminError

from .reloading import RELOAD, run_reloading
from .server import ServeOptions, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the panel until it is told to end; return an exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    given = _make_parser().parse_args(arguments)
    if given.reload:
        return run_reloading([argument for argument in arguments if argument != RELOAD])
    settings = {"home": given.home, "panel_port": given.port, "panel_bind": given.bind}
    options = ServeOptions(
        {name: value for name, value in settings.items() if value is not None},
        hosts=tuple(given.host_name),
        ping_seconds=given.ping_seconds,
    )
    try:
        serve(options)
    except MastraAdminError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mastra_admin_panel", description="Run the MastraAdmin panel.", allow_abbrev=False
    )
    parser.add_argument("--home", help="home folder (MASTRA_ADMIN_HOME)")
    parser.add_argument("--port", type=int, help="port, 0 for any free one (MASTRA_ADMIN_PANEL_PORT)")
    parser.add_argument("--bind", help="address to listen on (MASTRA_ADMIN_PANEL_BIND)")
    parser.add_argument(
        "--host-name",
        action="append",
        default=[],
        metavar="NAME",
        help="further host name under which the panel may be opened, such as that of a proxy; can be repeated",
    )
    parser.add_argument(
        "--ping-seconds", type=float, default=15.0, metavar="S", help="longest silence of a websocket (15)"
    )
    parser.add_argument(RELOAD, action="store_true", help="for developers: start anew whenever the code changes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
