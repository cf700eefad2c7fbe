"""Starts the engine: ``python -m`` and the name of this package, with its config on standard input.

It goes into the background by itself: the process that was started ends at once, so that nobody has to wait for the
engine later on, and whoever started it may end first.
"""

from __future__ import annotations

import json
import logging
import os
import sys


def main() -> int:
    """Read the config, go into the background, and serve."""
    values = json.loads(sys.stdin.read())
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    from .process import Config, run

    return run(Config(**values))


if __name__ == "__main__":
    status = 1
    try:
        status = main()
    except Exception:
        logging.exception("The engine ends after an unexpected error")
    finally:
        # At once, whatever threads there are: an engine that no longer serves must not keep its port and its lock.
        # chDB may still merge parts; ending at any moment is safe for the data.
        logging.shutdown()
        os._exit(status)
