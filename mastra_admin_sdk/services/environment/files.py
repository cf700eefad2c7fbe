"""``.env`` files: read as people write them, nothing expanded."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from mastra_admin_sdk.errors import InvalidInput, NotFound


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of a .env file: ``KEY=VALUE`` lines, quotes, ``export``, comments; nothing is expanded.

    Raises:
        NotFound: there is no such file.
        InvalidInput: a line is no assignment, or a quote isn't closed; the message has the line's number.
    """
    try:
        return parse_env(path.read_text(encoding="utf-8-sig"), str(path))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as exc:
        raise NotFound(f"There is no file {path}.", hint="Give the path of a .env file.") from exc
    except OSError as exc:
        raise InvalidInput(f"{path} can't be read: {exc.strerror}.", hint="Check its owner and mode.") from exc
    except UnicodeDecodeError:
        # Without its cause, which quotes what it couldn't read.
        raise InvalidInput(f"{path} is no text in UTF-8.", hint="Give a .env file.") from None


def parse_env(text: str, name: str) -> dict[str, str]:
    """Return the variables in the text of a .env file; ``name`` is what errors call it."""
    from dotenv.parser import parse_stream

    found = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            raise InvalidInput(
                f"Line {_find_line(binding.original.line, binding.original.string)} of {name} is no assignment, "
                "or its quote isn't closed.",
                hint="Write KEY=VALUE; a value of several lines in double quotes.",
            )
        if binding.key is not None:
            found[binding.key] = _strip_backticks(binding.value or "", binding.original.line, name)
    return found


def choose_variables(
    variables: Mapping[str, str], name: str, *, only: Iterable[str] | None = None, prefix: str = ""
) -> dict[str, str]:
    """Return those of a file's variables that are wanted.

    Parameters:
        variables: what the file has.
        name: of the file, for errors.
        only: names; all unless given.
        prefix: what names have to begin with.

    Raises:
        InvalidInput: one of ``only`` isn't there, or nothing is left.
    """
    wanted = list(only) if only is not None else list(variables)
    missing = [key for key in wanted if key not in variables]
    if missing:
        raise InvalidInput(f"{name} has no {', '.join(missing)}.", hint=f"It has: {', '.join(variables) or 'nothing'}.")
    chosen = {key: variables[key] for key in wanted if key.startswith(prefix)}
    if not chosen:
        which = f"variable that begins with {prefix!r}" if prefix else "variable"
        raise InvalidInput(f"{name} has no {which}.", hint=f"It has: {', '.join(variables) or 'nothing'}.")
    return chosen


def _find_line(first: int, text: str) -> int:
    """A broken binding begins with the blank lines above it."""
    return first + text[: len(text) - len(text.lstrip())].count("\n")


def _strip_backticks(value: str, line: int, name: str) -> str:
    # The dotenv of Node knows a third quote, which Python's takes for part of the value.
    if not value.startswith("`"):
        return value
    if len(value) < 2 or not value.endswith("`"):
        raise InvalidInput(
            f"The quote that begins in line {line} of {name} isn't closed in that line.",
            hint="Write a value of several lines in double quotes.",
        )
    return value[1:-1]
