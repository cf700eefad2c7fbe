"""The bundle of parts that every service works with."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import Event, Project, SourceType
from mastra_admin_sdk.ports.observability import ObservabilityStore
from mastra_admin_sdk.ports.router import Router
from mastra_admin_sdk.ports.runner import Runner
from mastra_admin_sdk.ports.source import ProjectSource
from mastra_admin_sdk.ports.storage import AdminStorage
from mastra_admin_sdk.settings import Settings

from .actors import Acting, Origin, who_acts
from .environment.secrets import SecretBox
from .labels import ObjectNames
from .leases import HeldLease, LeaseKeeper
from .policies import Policies


@dataclass(frozen=True, slots=True)
class Parts:
    """One of each port, with the home, the settings and what guards them; made once by `MastraAdmin`.

    ``source`` is where projects are found by name; ``sources`` has one for each type that a project can have.
    ``actor`` and ``origin`` are who uses it and from where, unless `actors.acting` says otherwise.
    """

    home: Home
    settings: Settings
    storage: AdminStorage
    source: ProjectSource
    sources: Mapping[SourceType, ProjectSource]
    runner: Runner
    router: Router
    observability: ObservabilityStore
    secrets: SecretBox
    leases: LeaseKeeper
    actor: str
    origin: str = Origin.SDK
    names: ObjectNames = field(init=False, repr=False, compare=False)
    policies: Policies = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", ObjectNames(self.storage))
        object.__setattr__(self, "policies", Policies(self.settings, self.storage))

    def source_of(self, project: Project) -> ProjectSource:
        """Return where a project's code comes from."""
        return self.sources[project.source_type]

    def record(self, action: str, object_type: str, object_id: str, **details: object) -> None:
        """Append to the audit log. Details must not hold secrets.

        Added to them is where it came from, ``origin``, ``host`` and ``pid``, and ``object``, what it is called,
        as the object may be deleted later. Whoever deletes it gives the name along.
        """
        who = self.acting
        where = {"origin": str(who.origin), "host": socket.gethostname(), "pid": os.getpid()}
        name = details.get("object") or self.names.find(object_type, object_id)
        told = {**details, **({"object": name} if name else {}), **where}
        self.storage.events.append(Event(who.actor or self.actor, action, object_type, object_id, told))

    @property
    def acting(self) -> Acting:
        """Who acts at the moment, in this thread, and from where."""
        found = who_acts()
        return Acting(found.actor or self.actor, found.origin or self.origin)


def hold_env(parts: Parts, object_id: str, name: str) -> AbstractContextManager[HeldLease]:
    """Hold the lock under which a list of variables is read, changed and written: two changes at once both stay."""
    return parts.leases.hold(f"env/{object_id}", timeout=10, what=f"the variables of {name}")
