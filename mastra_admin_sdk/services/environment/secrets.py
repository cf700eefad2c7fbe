"""Environment variables at rest: encrypted with Fernet under one key per home."""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mastra_admin_sdk.errors import InvalidInput, SecretError
from mastra_admin_sdk.models import EnvVar

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_KEY_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS: Mapping[str, str] = {
    "PORT": "each server gets a free port",
    "MASTRA_HOST": "servers listen on this machine only, behind the router",
    "MASTRA_TELEMETRY_DISABLED": "it is always set",
    "MASTRA_CLOUD_TRACES_TARGET_DIR": "traces are collected there",
    "MASTRA_RUNNER_LOGS_TARGET_DIR": "logs are collected there",
}
_OUR_PREFIX = "MASTRA_ADMIN_"
_LONGEST_ENTRY = 128 * 1024  # of NAME=value with its NUL: the kernel's MAX_ARG_STRLEN


class SecretBox:
    """Encrypts and decrypts values.

    Parameters:
        key: a Fernet key; empty: the one in ``key_file``, which is made at first use with mode 0600.
        key_file: where a home keeps its key.
    """

    def __init__(self, key: str, key_file: Path) -> None:
        self._key, self._key_file = key, key_file
        self._fernet: Fernet | None = None

    def encrypt(self, value: str) -> str:
        """Return the encrypted form of a value."""
        return self._box().encrypt(value.encode()).decode("ascii")

    def decrypt(self, encrypted: str) -> str:
        """Return the value; `SecretError` when it was encrypted with another key."""
        from cryptography.fernet import InvalidToken

        try:
            return self._box().decrypt(encrypted.encode("ascii")).decode()
        except (InvalidToken, UnicodeError) as exc:
            raise SecretError(
                "An environment variable can't be decrypted: it was encrypted with another key.",
                hint=f"Restore {self._key_file} (or MASTRA_ADMIN_SECRET_KEY) from your backup, or set it again.",
            ) from exc

    def fingerprint(self, text: str) -> str:
        """Return what tells texts apart and can't be turned back without the key: for the audit log."""
        key = self._key or read_or_make_key(self._key_file)
        return hmac.new(key.encode("ascii"), text.encode("utf-8", "replace"), "sha256").hexdigest()[:32]

    def __repr__(self) -> str:
        return f"SecretBox({'key given' if self._key else self._key_file})"

    def _box(self) -> Fernet:
        if self._fernet is None:
            from cryptography.fernet import Fernet

            try:
                self._fernet = Fernet(self._key or read_or_make_key(self._key_file))
            except ValueError as exc:
                where = "MASTRA_ADMIN_SECRET_KEY" if self._key else str(self._key_file)
                raise SecretError(
                    f"The key in {where} is no Fernet key (32 bytes, URL-safe base64).",
                    hint="Restore it from your backup: what was encrypted with it can't be read without it.",
                ) from exc
        return self._fernet


def read_or_make_key(path: Path) -> str:
    """Return the key in a file, making it first if there is none; of two processes that try at once one makes it."""
    from cryptography.fernet import Fernet

    try:
        if not path.exists():
            _publish(path, Fernet.generate_key())
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as exc:
        raise SecretError(
            f"The key file {path} can't be read: {exc}.", hint="Check its owner and mode (0600)."
        ) from exc


def _publish(path: Path, key: bytes) -> None:
    # Written whole under another name and then linked, so that nobody ever reads half a key.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink(missing_ok=True)


def check_key(key: str) -> str:
    """Return the name of a variable, or raise `InvalidInput` when no process could have one of that name."""
    if not _KEY_NAME.fullmatch(key):
        raise InvalidInput(
            f"An environment variable can't be called {key!r}.",
            hint="Use letters, digits and underscores, not starting with a digit.",
        )
    return key


def find_reservation(key: str) -> str | None:
    """Return why a variable's value would be ignored, since servers get MastraAdmin's own; ``None`` when it isn't."""
    if key.startswith(_OUR_PREFIX):
        return "names that begin so are MastraAdmin's own"
    return _OURS.get(key)


def check_free(key: str) -> str:
    """Return the name of a variable, or raise `InvalidInput` when MastraAdmin sets the one of that name itself."""
    reason = find_reservation(key)
    if reason:
        raise InvalidInput(f"{key} is set by MastraAdmin: {reason}.", hint="Leave it out, or use another name.")
    return key


def check_value(key: str, value: str) -> str:
    """Return the value of a variable, or raise `InvalidInput`, without showing it, when no process could have it."""
    if not isinstance(value, str):
        raise InvalidInput(f"The value of {key} is {type(value).__name__}, not text.", hint="Turn it into text first.")
    if "\0" in value:
        raise InvalidInput(f"The value of {key} holds a NUL character, which no environment can carry.")
    try:
        size = len(f"{key}={value}".encode())
    except UnicodeEncodeError:
        # Without its cause, which quotes the value.
        raise InvalidInput(f"The value of {key} holds half a character (a surrogate).") from None
    if size >= _LONGEST_ENTRY:
        raise InvalidInput(
            f"The value of {key} is too long: with its name it has {size:,} bytes.",
            hint=f"Linux takes at most {_LONGEST_ENTRY - 1:,}. Put it into a file and give the file's path.",
        )
    return value


def change_env(
    box: SecretBox, current: Sequence[EnvVar], changes: Mapping[str, str | None], *, secret: bool
) -> tuple[EnvVar, ...]:
    """Return the list with some variables set, or removed where the value is ``None``; sorted by name.

    Raises:
        InvalidInput: a name or value that no process could have, or a name that MastraAdmin sets itself.
    """
    kept = {var.key: var for var in current}
    for key, value in changes.items():
        check_key(key)
        if value is None:
            kept.pop(key, None)
        else:
            kept[check_free(key)] = EnvVar(key, box.encrypt(check_value(key, value)), secret)
    return tuple(kept[key] for key in sorted(kept))


def merge_env(*lists: Iterable[EnvVar]) -> tuple[EnvVar, ...]:
    """Return one list in which later lists win, sorted by name."""
    merged = {var.key: var for env_vars in lists for var in env_vars}
    return tuple(merged[key] for key in sorted(merged))


def open_env(box: SecretBox, env_vars: Iterable[EnvVar]) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    """Decrypt a list: all variables, those that aren't secret, and the values that must not be shown."""
    opened = [(var, box.decrypt(var.encrypted_value)) for var in env_vars]
    everything = {var.key: value for var, value in opened}
    plain = {var.key: value for var, value in opened if not var.is_secret}
    return everything, plain, tuple(value for var, value in opened if var.is_secret)
