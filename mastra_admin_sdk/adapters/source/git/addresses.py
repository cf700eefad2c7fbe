"""How a project in a repository is written: ``<url>[#[<ref>][:<folder>]]``."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from mastra_admin_sdk.adapters.source.local.names import is_portable, show_reference
from mastra_admin_sdk.errors import InvalidInput, NotFound

SCHEMES = ("https", "http", "ssh", "git", "file")
LOCAL_PROTOCOLS = "file:git:http:https:ssh"
REMOTE_PROTOCOLS = "git:http:https:ssh"

_LONGEST = 2000
_SCP = re.compile(r"(?:[\w.~-]+@)?[\w.-]+:(?!//)[^\s]+", re.ASCII)
_SECRET_USER = re.compile(r"gh[a-z]_|github_pat_|glpat-|gldt-|glft-|pat-|x-token|.{40}", re.IGNORECASE)
_USERINFO = re.compile(r"(https?://)[^/\s]*@|(://)[^/@\s]*:[^/\s]*@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """A repository, what is meant of it, and the folder of the project in it (empty: its root)."""

    url: str
    ref: str | None = None
    path: str = ""

    @property
    def is_local(self) -> bool:
        """True for a repository on this machine."""
        return self.url.startswith("/")

    @property
    def name(self) -> str:
        """What people call the repository, from the end of its URL."""
        return re.split(r"[/:]", self.url.rstrip("/"))[-1].removesuffix(".git") or "repository"

    @property
    def key(self) -> str:
        """A short name for folders that belong to the repository."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:20]

    @property
    def project_id(self) -> str:
        """An id that stays as long as repository and folder do."""
        return hashlib.sha256(f"{self.url}#:{self.path}".encode()).hexdigest()[:12]

    def __str__(self) -> str:
        below = f":{self.path}" if self.path else ""
        return f"{self.url}#{self.ref or ''}{below}" if self.ref or below or "#" in self.url else self.url


def looks_like_repository(reference: str) -> bool:
    """Return whether a reference can only mean a repository: a URL, ``user@host:path``, a bare repository's folder."""
    url = reference.partition("#")[0]
    if re.match(rf"(?:{'|'.join(SCHEMES)})://", url, re.IGNORECASE):
        return True
    if "@" in url.partition(":")[0] and _SCP.fullmatch(url):
        return True
    return "\0" not in reference and _is_bare(os.path.expanduser(url))


def parse_reference(reference: str) -> Address:
    """Return what a reference means.

    Raises:
        InvalidInput: it is no address of a repository, its URL holds a secret, or its folder leads outside.
        NotFound: it is a folder that isn't there.
    """
    if not isinstance(reference, str) or not reference.strip() or not _is_plain(reference):
        raise InvalidInput("A repository is named by its URL or its path; that was neither.")
    reference = reference.strip()
    if os.path.isdir(os.path.expanduser(reference)):
        return make_address(reference)
    # The name of a folder may hold a # itself, a URL's may not.
    url, _, rest = reference.rpartition("#") if "#" in reference else (reference, "", "")
    ref, _, path = rest.partition(":")
    return make_address(url, ref or None, path)


def read_address(text: str) -> Address:
    """Return the address that was written as this text before, also when its folder is gone by now."""
    if not text.startswith("/"):
        return parse_reference(text)
    url, _, rest = text.rpartition("#") if "#" in text else (text, "", "")
    ref, _, path = rest.partition(":")
    return Address(url, ref or None, check_folder(path))


def make_address(url: str, ref: str | None = None, path: str = "") -> Address:
    """Return the address of a project by its parts; raises as `parse_reference`."""
    if not _is_plain(url) or len(url) > _LONGEST or url.startswith("-"):
        raise InvalidInput(f"{show_reference(redact(url))} is no address of a repository.", hint=_FORMS)
    if "://" in url:
        return Address(_check_url(url), ref, check_folder(path))
    if "::" in url.partition("/")[0]:
        raise InvalidInput(f"{show_reference(redact(url))} names a program, not a repository.", hint=_FORMS)
    folder = os.path.realpath(os.path.expanduser(url))
    if not os.path.exists(folder) and _SCP.fullmatch(url):
        return Address(url, ref, check_folder(path))
    top = _find_top(folder)
    below = os.path.relpath(folder, top) if top != folder else ""
    return Address(top, ref, check_folder(posixpath.join(below, path)))


def check_folder(path: str) -> str:
    """Return the path of a folder in a repository, without slashes at its ends; empty for the root.

    Raises:
        InvalidInput: it leads outside.
    """
    if not isinstance(path, str) or not _is_plain(path) or not is_portable(path):
        raise InvalidInput(f"{show_reference(str(path))} is no folder of a repository.", hint="Write packages/app.")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or ".git" in parts:
        raise InvalidInput(f"The folder {show_reference(path)} is not in the repository.", hint="Write packages/app.")
    return "/".join(parts)


def redact(text: str) -> str:
    """Return a text without the users and passwords of URLs in it."""
    return _USERINFO.sub(lambda match: f"{match.group(1) or match.group(2)}***@", text)


def join_submodule(url: str, parent: Address) -> Address:
    """Return the address of a submodule; a relative one is meant from its parent's.

    Raises:
        InvalidInput: it is none, or a folder of this machine although the parent comes from another.
    """
    if url.startswith(("./", "../")):
        # As git does it: part by part, so that neither the host of a URL nor its scheme can be left.
        base, rest = parent.url.rstrip("/"), url
        while rest.startswith(("./", "../")):
            step, _, rest = rest.partition("/")
            if step == ".." and re.search(r"[^/:][/:][^/:]+$", base):
                base = re.sub(r"(?<=[^/:])[/:][^/:]+$", "", base)
        url = f"{base}/{rest}"
    elif not looks_like_repository(url) and not (parent.is_local and url.startswith("/")):
        raise InvalidInput(f"The submodule's address {show_reference(redact(url))} is none.", hint=_FORMS)
    address = make_address(url)
    if address.is_local and not parent.is_local:
        raise InvalidInput(f"The submodule {show_reference(redact(url))} is a folder of this machine.", hint=_FORMS)
    return address


_FORMS = "Write https://host/team/repo.git, ssh://git@host/team/repo.git, git@host:team/repo.git or a folder."


def _check_url(url: str) -> str:
    scheme = url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise InvalidInput(f"{show_reference(redact(url))} can't be fetched by git here.", hint=_FORMS)
    try:
        parts = urlsplit(url)
        host, password, user = parts.hostname, parts.password, parts.username
    except ValueError as exc:
        raise InvalidInput(f"{show_reference(redact(url))} is no URL.", hint=_FORMS) from exc
    if scheme == "file":
        if host not in (None, "localhost") or not parts.path.startswith("/"):
            raise InvalidInput(f"{show_reference(redact(url))} is no folder of this machine.", hint=_FORMS)
        return os.path.realpath(unquote(parts.path))
    if not host or host.startswith("-") or (user or "").startswith("-"):
        raise InvalidInput(f"{show_reference(redact(url))} names no host.", hint=_FORMS)
    if password is not None or (scheme.startswith("http") and user and _SECRET_USER.match(user)):
        raise InvalidInput(
            f"The URL {redact(url)} holds a password or token, which would be stored in clear.",
            hint="Leave it out. Use git's credential helper, an SSH key, or MASTRA_ADMIN_GIT_CREDENTIALS.",
        )
    return url.rstrip("/")


def _find_top(folder: str) -> str:
    """The top of the work tree around a folder; the folder itself when there is none."""
    above = folder
    while not os.path.lexists(os.path.join(above, ".git")) and not _is_bare(above):
        if above == os.path.dirname(above):
            if not os.path.isdir(folder):
                raise NotFound(f"There is no repository at {show_reference(folder)}.", hint=_FORMS)
            raise InvalidInput(f"{show_reference(folder)} is in no git repository.", hint="Deploy it as a folder.")
        above = os.path.dirname(above)
    return above


def _is_bare(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "HEAD")) and all(
        os.path.isdir(os.path.join(folder, name)) for name in ("objects", "refs")
    )


def _is_plain(text: str) -> bool:
    return text.isprintable() and is_portable(text)
