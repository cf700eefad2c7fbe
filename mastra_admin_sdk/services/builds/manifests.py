"""What went into each build and what came out of it: one small file a build, kept also when its artifact is gone.

A gzipped JSON object, mode 0600, with the parts:

- ``sources``: path → SHA-256 of its content, for each file that was copied
- ``packages``: name → version, of what package.json names
- ``resolved``: path in node_modules → version, of all that is installed beside the built server
- ``env``: name → whether it is secret; there are no values
- ``inventory``: ``agents``, ``tools`` and ``workflows`` as the server's own API listed them (see `inventory`)
- ``notes``: part → why it isn't there
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import MastraAdminError
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import Artifact, Build, ProcessStatus
from mastra_admin_sdk.ports.runner import LogSink
from mastra_admin_sdk.redaction import Redactor
from mastra_admin_sdk.services.environment.secrets import open_env
from mastra_admin_sdk.services.parts import Parts

from .inventory import take_inventory


def save_manifest(home: Home, build_id: str, **parts: Any) -> Path:
    """Add parts to a build's manifest, or replace them, and return its file.

    It is written under another name and then renamed: a reader finds the old one or the new one. Only the worker that
    holds the build writes it.
    """
    path = _find_path(home, build_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = load_manifest(home, build_id)
    merged = {**known, **parts, "notes": {**known.get("notes", {}), **parts.get("notes", {})}}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(gzip.compress(json.dumps(merged).encode(), compresslevel=6, mtime=0))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def load_manifest(home: Home, build_id: str) -> dict[str, Any]:
    """Return a build's manifest; one that isn't there, or can't be read, is empty."""
    try:
        found = json.loads(gzip.decompress(_find_path(home, build_id).read_bytes()))
    except (FileNotFoundError, EOFError, zlib.error, gzip.BadGzipFile, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def remove_manifest(home: Home, build_id: str) -> None:
    """Remove a build's manifest; one that isn't there is no error."""
    _find_path(home, build_id).unlink(missing_ok=True)


def _find_path(home: Home, build_id: str) -> Path:
    return home.manifests / f"{build_id}.json.gz"


class ManifestKeeper:
    """Keeps the manifests of builds as they go. What can't be kept is said in the build's log, and changes nothing."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def keep_inputs(self, build: Build, sources: Mapping[str, str], artifact: Artifact, log: LogSink) -> None:
        """Keep what an artifact was made from: files, and installed packages."""
        inside = {"sources": dict(sources), "packages": dict(artifact.packages), "resolved": read_resolved(artifact)}
        self._save(build, log, env=_list_env(build), **inside)

    def keep_reused(self, build: Build, log: LogSink) -> None:
        """Keep what the artifact of another build, which this one runs, was made from: that one may be deleted."""
        made = load_manifest(self._parts.home, build.artifact_build_id or build.id)
        inside = {name: made[name] for name in ("sources", "packages", "resolved") if name in made}
        self._save(build, log, env=_list_env(build), **inside)

    def keep_inventory(self, build: Build, log: LogSink) -> None:
        """Keep what the build's server, which has just gone live, says it has."""
        try:
            self._keep_inventory(build, log)
        except MastraAdminError as exc:
            # It is live: nothing that happens here may make it a failure.
            log.write(f"What the server has could not be kept: {exc.message}", stream="info")

    def _keep_inventory(self, build: Build, log: LogSink) -> None:
        serving = self._parts.storage.processes.list(build.deployment_id, statuses=[ProcessStatus.RUNNING])
        process = next((item for item in serving if item.build_id == build.id), None)
        if process is None:
            return
        taken = take_inventory(process)
        for kind, reason in taken.notes.items():
            log.write(f"No list of {kind} for comparing builds: {reason}", stream="info")
        redactor = Redactor(open_env(self._parts.secrets, build.env_snapshot)[2])
        found = json.loads(redactor.clean(json.dumps(taken.found)))
        self._save(build, log, inventory=found, notes=dict(taken.notes))

    def _save(self, build: Build, log: LogSink, **parts: Any) -> None:
        try:
            save_manifest(self._parts.home, build.id, **parts)
        except OSError as exc:
            # A build that runs is worth more than its comparison with others.
            log.write(f"What went into this build could not be kept: {exc.strerror or exc}", stream="info")


def read_resolved(artifact: Artifact) -> dict[str, str]:
    """Return the packages beside a built server, as npm noted them: path in node_modules → version; empty if not."""
    try:
        text = (artifact.path / "node_modules" / ".package-lock.json").read_text(encoding="utf-8")
        listed = json.loads(text).get("packages", {})
        return {str(path).removeprefix("node_modules/"): str(item["version"]) for path, item in listed.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}


def _list_env(build: Build) -> dict[str, bool]:
    return {var.key: var.is_secret for var in build.env_snapshot}
