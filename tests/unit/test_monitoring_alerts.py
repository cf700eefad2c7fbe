"""Alerts: rules, what they say, and what is sent because of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fixtures.monitoring import Watchtower
from fixtures.quick import find_free_port
from fixtures.receiver import Receiver, run_receiver

from mastra_admin_sdk.errors import Conflict, InvalidInput, NotFound
from mastra_admin_sdk.models import AlertStatus, DeliveryStatus
from mastra_admin_sdk.services.monitoring.columns import ALERT_COLUMNS, MESSAGE_COLUMNS, STATE_COLUMNS
from mastra_admin_sdk.services.monitoring.posting import post
from mastra_admin_sdk.services.triggers.deliveries import is_genuine


@pytest.fixture
def tower(tmp_path: Path) -> Iterator[Watchtower]:
    made = Watchtower(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as running:
        yield running


# --- rules ------------------------------------------------------------------------------------------------------------


def test_a_rule_is_made_found_changed_and_removed(tower: Watchtower) -> None:
    weather = tower.add()
    made = tower.alerts.create(
        "errors", kind="error_rate", threshold=0.1, window="10m", deployment=weather, after="2m", min_count=3
    )
    assert (made.threshold, made.window_seconds, made.options) == (0.1, 600, {"after": 120.0, "min_count": 3})
    assert tower.alerts.get("errors") == tower.alerts.get(made.id[:8]) == tower.alerts.get(made) == made
    changed = tower.alerts.update("errors", threshold=0.2, after=0, name="failures")
    assert (changed.name, changed.threshold, changed.options) == ("failures", 0.2, {"min_count": 3})
    assert changed.deployment_id == weather.id
    (row,) = tower.alerts.frame().to_dict("records")
    assert (row["deployment"], row["enabled"], row["webhook"], row["firing"]) == ("search/weather/main", True, False, 0)
    tower.alerts.delete("failures")
    with pytest.raises(NotFound):
        tower.alerts.get("failures")
    told = [(event.action, event.details["object"]) for event in tower.storage.events.list(object_type="alert")][::-1]
    assert told == [("create", "errors"), ("update", "failures"), ("delete", "failures")]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "weather"}, "is no kind of an alert"),
        ({"threshold": 0}, "can't be a threshold"),
        ({"threshold": 10}, "An error rate can't reach 10"),
        ({"window": "soon"}, "can't be the window"),
        ({"name": ""}, "can't be the name"),
        ({"webhook": "ftp://x"}, "no address that can be called"),
        ({"kind": "lag", "deployment": "weather"}, "about the whole home"),
        ({"deployment": "weather", "project": "weather"}, "not both"),
        ({"colour": "red"}, "no option 'colour'"),
        ({"secret": ""}, "can't be the secret"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(tower: Watchtower, values: dict[str, object], words: str) -> None:
    tower.add()
    with pytest.raises(InvalidInput, match=words):
        tower.alerts.create(**{"name": "x", "kind": "error_rate", "threshold": 0.1, **values})  # type: ignore[arg-type]
    assert tower.alerts.list() == []


def test_names_are_unique_and_kinds_stay(tower: Watchtower) -> None:
    tower.alerts.create("errors", kind="error_rate", threshold=0.1)
    with pytest.raises(Conflict):
        tower.alerts.create("errors", kind="lag", threshold=5)
    with pytest.raises(InvalidInput, match="kind"):
        tower.alerts.update("errors", kind="lag")


def test_webhooks_are_secrets(tower: Watchtower) -> None:
    rule = tower.alerts.create("x", kind="lag", threshold=1, webhook="https://x.example/t0ken", secret="s3cret")
    stored = f"{rule.webhook_url}{rule.webhook_secret}"
    assert "t0ken" not in stored
    assert "s3cret" not in stored
    shown = f"{rule} {tower.alerts.frame().to_csv()} {[event.details for event in tower.storage.events.list()]}"
    assert "t0ken" not in shown
    assert (rule.webhook_url or "?") not in shown
    assert tower.alerts.frame()["webhook"].tolist() == [True]
    assert tower.alerts.update("x", webhook=None).webhook_url is None


def test_frames_have_their_columns_when_they_are_empty(tower: Watchtower) -> None:
    frames = (tower.alerts.frame(), tower.alerts.states(), tower.alerts.history())
    for frame, columns in zip(frames, (ALERT_COLUMNS, STATE_COLUMNS, MESSAGE_COLUMNS), strict=True):
        assert frame.empty
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == dict(columns)


# --- evaluating -------------------------------------------------------------------------------------------------------


def test_each_deployment_is_watched_by_itself(tower: Watchtower, receiver: Receiver) -> None:
    sick, well = tower.add("sick"), tower.add("well")
    tower.alerts.create("errors", kind="error_rate", threshold=0.1, webhook=receiver.url)
    tower.traffic.ended = {sick.id: (40, 12, 50), well.id: (40, 1, 50)}
    tower.look()
    assert tower.status(deployment=sick) is AlertStatus.FIRING
    assert tower.status(deployment=well) is AlertStatus.OK
    assert tower.send() == 1
    (delivery,) = receiver.deliveries
    assert delivery.payload["text"].startswith(
        "[FIRING] errors: search/sick/main: 12 of 40 traces failed in the last 5 minutes (30 %) (alerts at 10 %)."
    )
    assert (delivery.payload["value"], delivery.payload["deployment"]["id"]) == (0.3, sick.id)


def test_one_message_for_each_time_it_fires_and_one_when_it_recovers(tower: Watchtower, receiver: Receiver) -> None:
    weather = tower.add()
    tower.alerts.create("errors", kind="error_rate", threshold=0.1, webhook=receiver.url)
    for failed in (9, 8, 0, 0, 7):
        tower.traffic.ended = {weather.id: (10, failed, 50)}
        tower.look()
        tower.pass_time(15)
        tower.send()
    assert receiver.events == ["firing", "resolved", "firing"]
    assert len({one.payload["id"] for one in receiver.deliveries}) == 3
    history = tower.alerts.history("errors")
    assert history["event"].tolist() == ["firing", "resolved", "firing"]
    assert history["status"].tolist() == ["delivered"] * 3
    actions = [event.action for event in tower.storage.events.list(object_type="alert")]
    assert actions == ["alert_fired", "alert_recovered", "alert_fired", "create"]


def test_two_processes_that_see_the_same_tell_of_it_once(tower: Watchtower) -> None:
    weather = tower.add()
    tower.alerts.create("errors", kind="error_rate", threshold=0.1)
    tower.traffic.ended = {weather.id: (10, 9, 50)}
    threads = [threading.Thread(target=tower.look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert tower.told == ["firing"]


def test_too_few_traces_say_nothing(tower: Watchtower) -> None:
    weather = tower.add()
    tower.alerts.create("errors", kind="error_rate", threshold=0.5)
    tower.alerts.create("slow", kind="latency", threshold=100, min_count=3)
    tower.traffic.ended = {weather.id: (4, 4, 500)}
    tower.look()
    assert tower.status("errors") is AlertStatus.OK
    assert tower.status("slow") is AlertStatus.FIRING
    states = tower.alerts.states()
    assert states["alert"].tolist() == ["slow", "errors"]
    assert states["value"].isna().tolist() == [False, True]
    assert states.dtypes["value"] == "float64"


def test_a_rule_that_cannot_be_evaluated_keeps_no_other_from_its_turn(tower: Watchtower) -> None:
    weather = tower.add()
    tower.alerts.create("memory", kind="memory", threshold=1)
    tower.alerts.create("errors", kind="error_rate", threshold=0.1)
    tower.traffic.ended = {weather.id: (10, 9, 50)}
    tower.look()
    tower.traffic.away = True
    assert [rule.name for rule in tower.evaluator.run_once()] == ["memory"]
    assert tower.status("errors") is AlertStatus.FIRING


def test_what_is_switched_off_is_left_alone_and_recovers_silently(tower: Watchtower) -> None:
    weather = tower.add()
    tower.alerts.create("errors", kind="error_rate", threshold=0.1)
    tower.traffic.ended = {weather.id: (10, 9, 50)}
    tower.look()
    tower.alerts.disable("errors")
    assert tower.status() is AlertStatus.OK
    tower.look()
    assert tower.told == ["firing"]
    tower.alerts.enable("errors")
    tower.look()
    assert tower.told == ["firing", "firing"]


def test_what_is_no_longer_watched_recovers(tower: Watchtower) -> None:
    sick, well = tower.add("sick"), tower.add("well")
    tower.alerts.create("errors", kind="error_rate", threshold=0.1)
    tower.traffic.ended = {sick.id: (10, 9, 50), well.id: (10, 0, 50)}
    tower.look()
    tower.alerts.update("errors", deployment=well)
    tower.look()
    assert tower.told == ["firing", "resolved"]
    assert [state.subject for state in tower.storage.alert_states.list()] == [well.id]


def test_a_deployment_that_is_deleted_recovers(tower: Watchtower) -> None:
    weather = tower.add()
    tower.alerts.create("errors", kind="error_rate", threshold=0.1)
    tower.traffic.ended = {weather.id: (10, 9, 50)}
    tower.look()
    tower.storage.deployments.delete(weather.id)
    tower.look()
    assert tower.told == ["firing", "resolved"]
    assert tower.alerts.history()["text"][0].startswith("[RESOLVED] errors: search/weather/main: there is nothing")
    assert tower.alerts.states().empty


# --- delivering -------------------------------------------------------------------------------------------------------


def fire(tower: Watchtower, url: str, **options: object) -> None:
    """Let an alert fire that is told to an address."""
    weather = tower.add()
    tower.alerts.create("errors", kind="error_rate", threshold=0.1, webhook=url, **options)
    tower.traffic.ended = {weather.id: (10, 9, 50)}
    tower.look()


def test_messages_are_signed_with_the_secret(tower: Watchtower, receiver: Receiver) -> None:
    fire(tower, receiver.url, secret="s3cret")
    tower.send()
    (delivery,) = receiver.deliveries
    assert is_genuine("s3cret", delivery.headers, delivery.body)


def test_a_webhook_that_fails_is_tried_again_ever_more_slowly(tower: Watchtower, receiver: Receiver) -> None:
    receiver.status = 500
    fire(tower, receiver.url)
    pauses = []
    for _ in range(4):
        tower.send()
        (message,) = tower.storage.alert_messages.list()
        pauses.append((message.next_attempt_at - tower.now).total_seconds())
        assert tower.send() == 0
        tower.now = message.next_attempt_at
    assert pauses == [5, 10, 20, 40]
    (state,) = tower.alerts.states().to_dict("records")
    assert (state["undelivered"], state["last_error"]) == (1, "It answered 500 Internal Server Error.")
    receiver.status = 204
    tower.send()
    assert [one.payload["attempt"] for one in receiver.deliveries] == [1, 2, 3, 4, 5]
    assert len({one.payload["id"] for one in receiver.deliveries}) == 1
    assert tower.alerts.history()["status"].tolist() == ["delivered"]


def test_what_happened_first_is_told_first(tower: Watchtower, receiver: Receiver) -> None:
    receiver.status = 503
    fire(tower, receiver.url)
    tower.send()
    tower.traffic.ended = {}
    tower.look()
    tower.send()
    assert receiver.events == ["firing"]
    receiver.status = 200
    tower.pass_time(60)
    tower.send()
    tower.send()
    assert receiver.events == ["firing", "firing", "resolved"]


def test_a_message_is_given_up_after_a_day(tower: Watchtower) -> None:
    fire(tower, f"http://127.0.0.1:{find_free_port()}/")
    tower.send()
    (message,) = tower.storage.alert_messages.list()
    assert (message.status, message.error) == (DeliveryStatus.QUEUED, "It can't be reached: Connection refused.")
    tower.pass_time(24 * 3600 + 1)
    tower.send()
    assert tower.alerts.history()["status"].tolist() == ["failed"]
    assert tower.storage.events.list(action="alert_undelivered")[0].details["error"] == message.error
    tower.pass_time(90 * 24 * 3600)
    tower.send()
    assert tower.alerts.history().empty


def test_a_webhook_that_hangs_is_left_after_a_while(receiver: Receiver) -> None:
    receiver.hangs = True
    assert (post(receiver.url, b"{}", {}, proxies={}, timeout=0.2) or "").startswith("It didn't answer within")


def test_a_webhook_that_hangs_keeps_no_other_and_no_rule_waiting(tower: Watchtower, receiver: Receiver) -> None:
    receiver.hangs = True
    fire(tower, receiver.url)
    with run_receiver() as well:
        tower.alerts.create("slow", kind="latency", threshold=10, webhook=well.url)
        tower.look()
        sending = threading.Thread(target=tower.send)
        sending.start()
        well.wait_for(1)
        tower.traffic.ended = {}
        tower.look()
        assert sending.is_alive()
        assert tower.told == ["firing", "firing", "resolved", "resolved"]
        receiver.released.set()
        sending.join(20)
    assert receiver.events == ["firing"]


def test_what_was_encrypted_with_another_key_is_said(tower: Watchtower) -> None:
    fire(tower, "https://hooks.example.com/")
    tower.storage.alert_rules.update(tower.alerts.get("errors").id, webhook_url="gAAAAABnonsense")
    tower.send()
    (message,) = tower.storage.alert_messages.list()
    assert "can't be decrypted" in (message.error or "")


def test_redirects_are_not_followed(tower: Watchtower, receiver: Receiver) -> None:
    receiver.status, receiver.location = 302, "http://127.0.0.1:1/elsewhere"
    fire(tower, receiver.url)
    tower.send()
    (message,) = tower.storage.alert_messages.list()
    assert message.error == "It answered 302: redirects are not followed."


def test_what_nobody_is_to_be_told_is_history_only(tower: Watchtower) -> None:
    weather = tower.add()
    tower.alerts.create("errors", kind="error_rate", threshold=0.1)
    tower.traffic.ended = {weather.id: (10, 9, 50)}
    tower.look()
    assert tower.send() == 0
    assert tower.alerts.history()["status"].tolist() == ["skipped"]


def test_a_message_that_was_being_sent_when_its_sender_died_is_sent_again(
    tower: Watchtower, receiver: Receiver
) -> None:
    fire(tower, receiver.url)
    (message,) = tower.storage.alert_messages.list()
    tower.storage.alert_messages.claim(message, until=tower.now + timedelta(seconds=30))
    assert tower.send() == 0
    tower.pass_time(31)
    assert tower.send() == 1
    assert [one.payload["attempt"] for one in receiver.deliveries] == [2]


def test_a_test_message_is_sent_at_once_and_once(tower: Watchtower, receiver: Receiver) -> None:
    tower.alerts.create("errors", kind="error_rate", threshold=0.1, webhook=receiver.url)
    sent = tower.alerts.test("errors")
    assert (sent.status, receiver.events) == (DeliveryStatus.DELIVERED, ["test"])
    receiver.status = 404
    failed = tower.alerts.test("errors")
    assert (failed.status, failed.error) == (DeliveryStatus.FAILED, "It answered 404 Not Found.")
    tower.pass_time(3600)
    assert tower.send() == 0
    tower.alerts.update("errors", webhook=None)
    with pytest.raises(InvalidInput, match="no webhook"):
        tower.alerts.test("errors")


def test_hosts_that_are_not_listed_get_nothing(tmp_path: Path, receiver: Receiver) -> None:
    tower = Watchtower(tmp_path / "home", alert_hosts=["hooks.example.com"])
    try:
        with pytest.raises(InvalidInput, match=r"may not be sent to 127\.0\.0\.1"):
            tower.alerts.create("x", kind="lag", threshold=1, webhook=receiver.url)
        # One that was made before the setting was.
        fire(tower, "https://hooks.example.com/")
        encrypted = tower.parts.secrets.encrypt(receiver.url)
        tower.storage.alert_rules.update(tower.alerts.get("errors").id, webhook_url=encrypted)
        tower.send()
        (message,) = tower.storage.alert_messages.list()
        assert (message.error, receiver.deliveries) == ("Alerts may not be sent to 127.0.0.1.", [])
    finally:
        tower.close()
