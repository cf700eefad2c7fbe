"""The token that opens a panel: a file in the home that only its user can read."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets

from mastra_admin_sdk.errors import InvalidInput, SecretError
from mastra_admin_sdk.home import Home

_SHORTEST = 32


def load_token(home: Home) -> str:
    """Return the token of a home, made at first use: ``run/panel-token``, mode 0600.

    Raises:
        SecretError: the file can't be read or written.
    """
    path = home.run / "panel-token"
    try:
        token = _read(path)
        if token is None:
            _make(path)
            token = _read(path)
    except OSError as exc:
        raise SecretError(
            f"The panel's token {path} can't be read: {exc.strerror or exc}.", hint="Mend its rights, or remove it."
        ) from exc
    if token is None:
        raise SecretError(f"The panel's token {path} is too short to be safe.", hint="Remove it; a new one is made.")
    return token


def check_token(token: str) -> None:
    """Refuse a token that could be guessed: nothing else keeps guessers out for good.

    Raises:
        InvalidInput: it has less than 32 characters.
    """
    if len(token) < _SHORTEST:
        raise InvalidInput(
            f"The panel's token has {len(token)} characters; it needs {_SHORTEST}.",
            hint="Leave it out: the home has one. Or make one with secrets.token_urlsafe(32).",
        )


def is_token(given: str, token: str) -> bool:
    """True when both are the same; the time it takes tells nothing about the token."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())


def derive_session_key(token: str) -> bytes:
    """Return the key that signs session cookies: a new token ends all sessions."""
    return hmac.digest(token.encode(), b"mastra-admin-panel session", "sha256")


def _read(path: os.PathLike[str]) -> str | None:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            os.fchmod(file.fileno(), 0o600)
            token = file.read().strip()
    except FileNotFoundError:
        return None
    return token if len(token) >= _SHORTEST else None


def _make(path: os.PathLike[str]) -> None:
    # Written aside and linked into place: of two panels that start at once one wins, and nobody reads half a token.
    temporary = f"{os.fspath(path)}.{os.getpid()}.{secrets.token_hex(4)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)
