"""Deleting telemetry, as a method of `MastraAdmin`."""

from __future__ import annotations

from mastra_admin_sdk.services.references import BuildRef, DeploymentRef, ProjectRef
from mastra_admin_sdk.services.telemetry.service import Moment, TelemetryService

from .deletion import Deletion, TelemetryEraser


class PrivacyCalls:
    """`delete_telemetry`: what is stored about somebody, or has become old, goes for good."""

    _telemetry: TelemetryService
    _eraser: TelemetryEraser

    def delete_telemetry(
        self,
        *,
        user: str | None = None,
        thread: str | None = None,
        project: ProjectRef | None = None,
        deployment: DeploymentRef | None = None,
        build: BuildRef | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        dry_run: bool = False,
    ) -> Deletion:
        """Delete telemetry for good: in the store, and in the files that are still on the disk.

        With ``user`` or ``thread`` all that belongs to their traces goes: spans, logs, metrics, scores, feedback, lines
        that could not be stored, and items of datasets made from them. Without other restrictions also log lines
        outside of traces, and scores and feedback, in whose data their id stands under a name such as ``resourceId``.
        Without ``user`` and ``thread`` it is what belongs to the project, deployment or build, or to a range of time.

        What arrives later about the same user is stored again.

        Parameters:
            user: a resource id, as in the column ``resource_id``.
            thread: a thread id.
            project, deployment, build: only what is theirs.
            since, until: only traces that began then; without user and thread, rows of that time.
            dry_run: delete nothing; return what would be.

        Returns:
            A `Deletion` with the counts; ``.frame()`` has them as a table.

        Raises:
            InvalidInput: nothing restricts it.
            ObservabilityError: something is left; it can be repeated.

        Example:
            >>> admin.delete_telemetry(user="u-4711", dry_run=True)
            >>> admin.delete_telemetry(user="u-4711")
        """
        given = {"project": project, "deployment": deployment, "build": build, "since": since, "until": until}
        asked = {name: value for name, value in given.items() if value is not None}
        filters = self._telemetry.make_filter(**asked)
        told = {name: str(value) for name, value in asked.items()}
        return self._eraser.delete(filters, user=user, thread=thread, dry_run=dry_run, what=told)
