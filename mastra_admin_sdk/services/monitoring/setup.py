"""Puts the services of monitoring together."""

from __future__ import annotations

from mastra_admin_sdk.services.background.background import Duty
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import Resolver
from mastra_admin_sdk.services.telemetry.ingestion import Ingester

from .alerts import AlertService
from .delivery import INTERVAL, Messenger
from .delivery import ROLE as MESSENGER
from .evaluation import ROLE as ALERTER
from .evaluation import Evaluator
from .figures import FigureService
from .health import HealthService


class Monitoring:
    """Health, alerts, and the work that they leave to the background."""

    def __init__(self, parts: Parts, resolver: Resolver, ingester: Ingester) -> None:
        evaluator, messenger = Evaluator(parts, ingester), Messenger(parts)
        self.health = HealthService(parts, ingester)
        self.figures = FigureService(parts, ingester, self.health)
        self.alerts = AlertService(parts, resolver, evaluator, messenger)
        # Two roles: a webhook that hangs keeps no rule from its turn.
        self.duties = (
            Duty(ALERTER, lambda role, _: evaluator.run_when_due(role), min(1.0, parts.settings.alert_interval)),
            Duty(MESSENGER, lambda role, _: messenger.run_once(role), INTERVAL),
        )
