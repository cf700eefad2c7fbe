"""Sends alert messages to webhooks: each until it arrived, ever more slowly, for a day at most.

A message is sent again when it isn't known to have arrived: a receiver may get it twice, with the same id.
"""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from mastra_admin_sdk.errors import InvalidInput, NotFound, SecretError, StaleState
from mastra_admin_sdk.models import AlertMessage, DeliveryStatus, utc_now
from mastra_admin_sdk.services.leases import HeldLease
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.supervision.crew import do_together

from .messages import make_body, make_headers
from .posting import TIMEOUT, post

logger = logging.getLogger(__name__)

ROLE = "messenger"
INTERVAL = 1.0
"""Seconds between two looks at the queue."""

GIVE_UP = timedelta(hours=24)
_CLAIM = timedelta(seconds=3 * TIMEOUT)
_AT_ONCE = 8
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 900.0
_KEPT = timedelta(days=90)
_PRUNE = timedelta(hours=1)


class Messenger:
    """Empties the queue of messages. Its ``run_once`` is called about once a second by the holder of the role."""

    def __init__(self, parts: Parts, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._parts, self._clock = parts, clock
        self._prune_at = clock()

    def run_once(self, role: HeldLease) -> int:
        """Send what is due, a few at the same time; return how many were tried.

        Raises:
            LeaseLost: another process has the role by now.
        """
        role.check()
        if self._clock() >= self._prune_at:
            self._prune_at = self._clock() + _PRUNE
            self._parts.storage.alert_messages.prune(self._clock() - _KEPT)
        due = self._parts.storage.alert_messages.list_due(self._clock(), limit=_AT_ONCE)
        if due:
            do_together([partial(self.send, message) for message in due], "mastra-admin-alert")
        return len(due)

    def send(self, message: AlertMessage) -> AlertMessage | None:
        """Try once to deliver a queued message and return its record; ``None`` when somebody else sends it."""
        with suppress(StaleState, NotFound):  # taken by somebody else, or deleted with its rule
            taken = self._parts.storage.alert_messages.claim(message, until=self._clock() + _CLAIM)
            return self._parts.storage.alert_messages.update(taken.id, **self._try(taken))
        return None

    def _try(self, message: AlertMessage) -> dict[str, Any]:
        """Send one message and return what changes on its record."""
        try:
            rule = self._parts.storage.alert_rules.get(message.rule_id)
            url = self._open(rule.webhook_url)
            if not url:
                return {"status": DeliveryStatus.SKIPPED, "error": None}
            body = make_body(message, sent_at=self._clock())
            error = self._post(url, body, make_headers(message, body, self._open(rule.webhook_secret)))
        except SecretError:
            error = "Its address or secret can't be decrypted: it was encrypted with another key. Set it again."
        except InvalidInput as exc:
            error = exc.message
        if error is None:
            return {"status": DeliveryStatus.DELIVERED, "delivered_at": self._clock(), "error": None}
        return self._fail(message, error)

    def _fail(self, message: AlertMessage, error: str) -> dict[str, Any]:
        if self._clock() - message.created_at >= GIVE_UP:
            logger.warning("An alert message was given up after %d tries: %s", message.attempts, error)
            self._parts.record("alert_undelivered", "alert", message.rule_id, message=message.id, error=error)
            return {"status": DeliveryStatus.FAILED, "error": error}
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(message.attempts - 1, 16))
        logger.info("An alert message goes out again in %.0f s: %s", pause, error)
        return {"next_attempt_at": self._clock() + timedelta(seconds=pause), "error": error}

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> str | None:
        check_webhook(url, self._parts.settings.alert_hosts)
        return post(url, body, headers, proxies=_find_proxies(self._parts.settings.environment))

    def _open(self, encrypted: str | None) -> str | None:
        return self._parts.secrets.decrypt(encrypted) if encrypted else None


def check_webhook(url: str, hosts: list[str]) -> str:
    """Return the address of a webhook, or raise `InvalidInput`, without showing it, when nothing is sent there.

    Parameters:
        hosts: patterns such as ``hooks.slack.com`` or ``*.example.com``; when there are any, only these are allowed.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    # The address itself stays out of messages: it may be a secret.
    is_clean = url.isascii() and url.isprintable() and " " not in url
    if not host or not is_clean or parts.scheme not in {"http", "https"} or parts.username is not None:
        raise InvalidInput(
            "The webhook is no address that can be called.", hint="Give one such as https://hooks.example.com/path."
        )
    if hosts and not any(fnmatch.fnmatchcase(host, pattern.lower()) for pattern in hosts):
        raise InvalidInput(
            f"Alerts may not be sent to {host}.", hint="The setting alert_hosts lists the hosts that are allowed."
        )
    return url


def _find_proxies(environment: Any) -> dict[str, str]:
    names = {scheme: (f"{scheme}_proxy", f"{scheme}_proxy".upper()) for scheme in ("http", "https")}
    found = {
        scheme: next((environment[name] for name in both if environment.get(name)), "")
        for scheme, both in names.items()
    }
    return {scheme: proxy for scheme, proxy in found.items() if proxy}
