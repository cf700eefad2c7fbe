"""What every storage promises for alerts, datasets and tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fixtures.storage import make_deployment, make_project, make_team

from mastra_admin_sdk.errors import Conflict, InvalidInput, NotFound, StaleState
from mastra_admin_sdk.models import (
    AlertEvent,
    AlertKind,
    AlertMessage,
    AlertRule,
    AlertState,
    AlertStatus,
    Dataset,
    DatasetItem,
    DeliveryStatus,
    Token,
    TokenScope,
    utc_now,
)
from mastra_admin_sdk.ports.storage import AdminStorage

EARLIER = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_every_field_of_these_records_comes_back(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    rule = AlertRule(
        "slow", AlertKind.LATENCY, 1500.5, 600, deployment.project_id, deployment.id, {"p": 95, "x": [1, None]},
        "gAAA=", "gBBB=", False, created_at=EARLIER, updated_at=EARLIER,
    )  # fmt: skip
    message = AlertMessage(
        rule.id, AlertEvent.REMINDER, deployment.id, 0.25, {"text": "ünï"}, DeliveryStatus.FAILED, 3, EARLIER, EARLIER,
        "no answer", created_at=EARLIER,
    )  # fmt: skip
    dataset = Dataset("golden", "What has to work", created_at=EARLIER, updated_at=EARLIER)
    item = DatasetItem(
        dataset.id, [{"role": "user", "content": "Hi"}], {"text": "Hello"}, {"lang": "en"}, "agent:weather", "a" * 32,
        "b" * 16, created_at=EARLIER, updated_at=EARLIER,
    )  # fmt: skip
    token = Token(
        "ci", "f" * 64, (TokenScope.READ, TokenScope.INGEST), storage.projects.get(deployment.project_id).team_id,
        deployment.project_id, EARLIER, EARLIER, EARLIER, created_at=EARLIER,
    )  # fmt: skip
    assert storage.alert_rules.create(rule) == storage.alert_rules.get(rule.id) == rule
    assert storage.alert_messages.create(message) == storage.alert_messages.get(message.id) == message
    assert storage.datasets.create(dataset) == storage.datasets.get(dataset.id) == dataset
    assert storage.dataset_items.add([item]) == 1
    assert storage.dataset_items.get(item.id) == item
    assert storage.tokens.create(token) == storage.tokens.get(token.id) == token


def test_unknown_ids_of_these_records_raise_not_found(storage: AdminStorage) -> None:
    rule = make_rule(storage)
    calls: list[Callable[[], object]] = [
        lambda: storage.alert_rules.get("x"),
        lambda: storage.alert_rules.get_by_name("x"),
        lambda: storage.alert_rules.update("x", enabled=False),
        lambda: storage.alert_rules.delete("x"),
        lambda: storage.alert_rules.create(AlertRule("x", AlertKind.LAG, 1, project_id="x")),
        lambda: storage.alert_rules.create(AlertRule("x", AlertKind.LAG, 1, deployment_id="x")),
        lambda: storage.alert_states.ensure("x", ""),
        lambda: storage.alert_states.change(AlertState(rule.id), value=1.0),
        lambda: storage.alert_states.delete("x"),
        lambda: storage.alert_messages.get("x"),
        lambda: storage.alert_messages.update("x", error="y"),
        lambda: storage.alert_messages.claim(AlertMessage(rule.id, AlertEvent.TEST), until=EARLIER),
        lambda: storage.alert_messages.create(AlertMessage("x", AlertEvent.TEST)),
        lambda: storage.datasets.get("x"),
        lambda: storage.datasets.get_by_name("x"),
        lambda: storage.datasets.update("x", name="y"),
        lambda: storage.datasets.delete("x"),
        lambda: storage.dataset_items.add([DatasetItem("x", 1)]),
        lambda: storage.dataset_items.get("x"),
        lambda: storage.dataset_items.update("x", input=1),
        lambda: storage.dataset_items.delete("x"),
        lambda: storage.tokens.get("x"),
        lambda: storage.tokens.get_by_digest("x"),
        lambda: storage.tokens.update("x", name="y"),
        lambda: storage.tokens.delete("x"),
        lambda: storage.tokens.create(Token("x", "y", team_id="x")),
        lambda: storage.tokens.create(Token("x", "y", project_id="x")),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()
    assert storage.tokens.list() == storage.datasets.list() == storage.alert_messages.list() == []


def test_names_and_digests_are_unique(storage: AdminStorage) -> None:
    rule, other = make_rule(storage), make_rule(storage, "other")
    with pytest.raises(Conflict, match="slow"):
        make_rule(storage)
    with pytest.raises(Conflict, match="slow"):
        storage.alert_rules.update(other.id, name=rule.name)
    storage.datasets.create(Dataset("golden"))
    with pytest.raises(Conflict, match="golden"):
        storage.datasets.create(Dataset("golden"))
    storage.tokens.create(Token("ci", "digest"))
    with pytest.raises(Conflict) as caught:
        storage.tokens.create(Token("other", "digest"))
    assert "digest'" not in str(caught.value)
    with pytest.raises(Conflict, match="ci"):
        storage.tokens.create(Token("ci", "another"))


# --- alert rules and states -------------------------------------------------------------------------------------------


def test_rules_are_changed_and_filtered(storage: AdminStorage) -> None:
    rule, other = make_rule(storage), make_rule(storage, "other")
    off = storage.alert_rules.update(rule.id, enabled=False, threshold=2, options={"min_count": 5})
    assert (off.threshold, type(off.threshold), off.options) == (2.0, float, {"min_count": 5})
    assert off.updated_at > rule.updated_at
    assert storage.alert_rules.list(enabled=True) == [other]
    assert storage.alert_rules.list(enabled=False) == [off]
    assert len(storage.alert_rules.list()) == 2
    for wrong in ({"threshold": float("nan")}, {"threshold": True}, {"threshold": "1"}, {"kind": "x"}, {"id": "x"}):
        with pytest.raises(InvalidInput):
            storage.alert_rules.update(rule.id, **wrong)


def test_a_state_is_made_once(storage: AdminStorage) -> None:
    rule = make_rule(storage)
    state = storage.alert_states.ensure(rule.id, "d1")
    assert (state.status, state.generation, state.notifications) == (AlertStatus.OK, 0, 0)
    assert storage.alert_states.ensure(rule.id, "d1") == state
    other = storage.alert_states.ensure(rule.id, "d2")
    assert {one.id for one in storage.alert_states.list(rule.id)} == {state.id, other.id}
    storage.alert_states.delete(other.id)
    assert storage.alert_states.list() == [state]


def test_of_two_who_change_a_state_one_tells_of_it(storage: AdminStorage) -> None:
    rule = make_rule(storage)
    state = storage.alert_states.ensure(rule.id, "")
    firing = storage.alert_states.change(
        state, messages=[make_message(rule)], status=AlertStatus.FIRING, value=1, last_notified_at=EARLIER
    )
    assert (firing.status, firing.value, firing.generation) == (AlertStatus.FIRING, 1.0, 1)
    assert firing.updated_at > state.updated_at
    with pytest.raises(StaleState):
        storage.alert_states.change(state, messages=[make_message(rule)], status=AlertStatus.FIRING)
    assert len(storage.alert_messages.list()) == 1
    assert storage.alert_states.list(statuses=[AlertStatus.FIRING]) == [firing]
    assert storage.alert_states.list(statuses=[AlertStatus.OK]) == []
    with pytest.raises(InvalidInput):
        storage.alert_states.change(firing, generation=9)


def test_many_who_change_one_state_at_once_queue_one_message(storage: AdminStorage) -> None:
    rule = make_rule(storage)
    state = storage.alert_states.ensure(rule.id, "")
    won: list[AlertState] = []
    lost: list[StaleState] = []

    def work() -> None:
        try:
            won.append(storage.alert_states.change(state, messages=[make_message(rule)], status=AlertStatus.FIRING))
        except StaleState as exc:
            lost.append(exc)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(won), len(lost), len(storage.alert_messages.list())) == (1, 5, 1)


def test_a_change_whose_message_cannot_be_stored_changes_nothing(storage: AdminStorage) -> None:
    rule = make_rule(storage)
    state = storage.alert_states.ensure(rule.id, "")
    with pytest.raises(NotFound):
        storage.alert_states.change(state, messages=[AlertMessage("x", AlertEvent.FIRING)], value=1.0)
    assert storage.alert_states.ensure(rule.id, "") == state


def test_rules_go_with_what_they_watch_and_take_their_states_and_messages(storage: AdminStorage) -> None:
    deployment = make_deployment(storage)
    rule = make_rule(storage, deployment_id=deployment.id)
    storage.alert_states.ensure(rule.id, deployment.id)
    storage.alert_messages.create(make_message(rule))
    storage.deployments.delete(deployment.id)
    assert storage.alert_rules.list() == storage.alert_states.list() == storage.alert_messages.list() == []
    of_project = make_rule(storage, project_id=deployment.project_id)
    storage.projects.delete(deployment.project_id)
    with pytest.raises(NotFound):
        storage.alert_rules.get(of_project.id)


# --- messages ---------------------------------------------------------------------------------------------------------


def test_messages_of_one_subject_are_due_one_after_the_other(storage: AdminStorage) -> None:
    rule = make_rule(storage)
    first, second, other = (
        storage.alert_messages.create(make_message(rule, subject=subject, created_at=EARLIER, next_attempt_at=EARLIER))
        for subject in ("a", "a", "b")
    )
    assert storage.alert_messages.list_due(EARLIER, limit=9) == [first, other]
    assert storage.alert_messages.list_due(EARLIER, limit=1) == [first]
    assert storage.alert_messages.list_due(EARLIER - MINUTE, limit=9) == []
    storage.alert_messages.update(first.id, next_attempt_at=EARLIER + MINUTE, error="no answer")
    assert storage.alert_messages.list_due(EARLIER, limit=9) == [other]
    storage.alert_messages.update(first.id, status=DeliveryStatus.DELIVERED, delivered_at=EARLIER)
    assert storage.alert_messages.list_due(EARLIER, limit=9) == [second, other]


def test_a_message_is_claimed_once(storage: AdminStorage) -> None:
    rule = make_rule(storage)
    message = storage.alert_messages.create(make_message(rule, next_attempt_at=EARLIER))
    taken = storage.alert_messages.claim(message, until=EARLIER + MINUTE)
    assert (taken.attempts, taken.next_attempt_at) == (1, EARLIER + MINUTE)
    with pytest.raises(StaleState):
        storage.alert_messages.claim(message, until=EARLIER + MINUTE)
    assert storage.alert_messages.list_due(EARLIER, limit=9) == []
    assert storage.alert_messages.list_due(EARLIER + MINUTE, limit=9) == [taken]
    done = storage.alert_messages.update(taken.id, status=DeliveryStatus.DELIVERED)
    with pytest.raises(StaleState):
        storage.alert_messages.claim(done, until=EARLIER)


def test_messages_are_listed_newest_first_and_pruned(storage: AdminStorage) -> None:
    rule, other = make_rule(storage), make_rule(storage, "other")
    old, queued, new = (
        storage.alert_messages.create(make_message(rule, status=status, created_at=EARLIER + minutes * MINUTE))
        for minutes, status in enumerate([DeliveryStatus.FAILED, DeliveryStatus.QUEUED, DeliveryStatus.DELIVERED])
    )
    assert storage.alert_messages.list() == [new, queued, old]
    assert storage.alert_messages.list(rule.id, limit=1) == [new]
    assert storage.alert_messages.list(other.id) == []
    assert storage.alert_messages.list(statuses=[DeliveryStatus.FAILED]) == [old]
    assert storage.alert_messages.list(since=EARLIER + MINUTE, until=EARLIER + 2 * MINUTE) == [queued]
    assert storage.alert_messages.prune(EARLIER + 2 * MINUTE) == 1
    assert storage.alert_messages.list() == [new, queued]


# --- datasets ---------------------------------------------------------------------------------------------------------


def test_items_keep_the_order_in_which_they_were_added(storage: AdminStorage) -> None:
    dataset = storage.datasets.create(Dataset("golden", created_at=EARLIER, updated_at=EARLIER))
    items = [DatasetItem(dataset.id, number, created_at=EARLIER) for number in range(5)]
    assert storage.dataset_items.add(items[:3]) == 3
    assert storage.dataset_items.add(items[3:]) == 2
    assert storage.dataset_items.add([]) == 0
    assert [item.input for item in storage.dataset_items.list(dataset.id)] == [0, 1, 2, 3, 4]
    assert [item.input for item in storage.dataset_items.list(dataset.id, limit=2, offset=1)] == [1, 2]
    assert [item.input for item in storage.dataset_items.list(dataset.id, offset=3)] == [3, 4]
    assert storage.dataset_items.count(dataset.id) == 5
    assert storage.datasets.get(dataset.id).updated_at > EARLIER
    storage.dataset_items.delete(items[0].id)
    assert (storage.dataset_items.count(dataset.id), storage.dataset_items.count("x")) == (4, 0)
    assert storage.dataset_items.list("x") == []


@pytest.mark.parametrize("value", [None, "text", 7, 2.5, True, [], {"a": [1, {"b": None}]}, "a\0b"])
def test_an_input_is_any_json_value(storage: AdminStorage, value: object) -> None:
    dataset = storage.datasets.create(Dataset("golden"))
    item = DatasetItem(dataset.id, value)
    storage.dataset_items.add([item])
    found = storage.dataset_items.get(item.id)
    assert found.input == ("a\ufffdb" if value == "a\0b" else value)
    assert found.expected is None
    changed = storage.dataset_items.update(item.id, expected=value, metadata={"checked": True})
    assert (changed.expected, changed.metadata) == (found.input, {"checked": True})
    assert changed.updated_at > found.updated_at


def test_items_are_added_all_or_none(storage: AdminStorage) -> None:
    dataset = storage.datasets.create(Dataset("golden"))
    one = DatasetItem(dataset.id, 1)
    with pytest.raises(Conflict):
        storage.dataset_items.add([one, replace(one, input=2)])
    with pytest.raises(InvalidInput):
        storage.dataset_items.add([one, DatasetItem(dataset.id, Path("/"))])
    assert storage.dataset_items.count(dataset.id) == 0


def test_items_go_with_their_dataset(storage: AdminStorage) -> None:
    dataset = storage.datasets.create(Dataset("golden"))
    item = DatasetItem(dataset.id, 1)
    storage.dataset_items.add([item])
    storage.datasets.delete(dataset.id)
    with pytest.raises(NotFound):
        storage.dataset_items.get(item.id)


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_tokens_are_found_by_digest_and_changed(storage: AdminStorage) -> None:
    token = storage.tokens.create(Token("ci", "digest", (TokenScope.READ,)))
    assert storage.tokens.get_by_digest("digest") == token
    revoked = storage.tokens.update(token.id, revoked_at=EARLIER, scopes=["read", "deploy"])
    assert (revoked.revoked_at, revoked.scopes) == (EARLIER, (TokenScope.READ, TokenScope.DEPLOY))
    assert storage.tokens.list() == [revoked]
    for wrong in ({"digest": "x"}, {"scopes": ["rule-the-world"]}, {"scopes": "read"}):
        with pytest.raises(InvalidInput):
            storage.tokens.update(token.id, **wrong)
    storage.tokens.delete(token.id)
    assert storage.tokens.list() == []


def test_the_last_use_of_a_token_only_moves_forward(storage: AdminStorage) -> None:
    token = storage.tokens.create(Token("ci", "digest"))
    for moment in (EARLIER, EARLIER + MINUTE, EARLIER):
        storage.tokens.touch(token.id, moment)
    assert storage.tokens.get(token.id).last_used_at == EARLIER + MINUTE
    storage.tokens.touch("nobody", utc_now())


def test_tokens_go_with_their_team_and_project(storage: AdminStorage) -> None:
    team, project = make_team(storage), make_project(storage)
    storage.tokens.create(Token("team", "1", team_id=team.id))
    storage.tokens.create(Token("project", "2", project_id=project.id))
    storage.teams.delete(team.id)
    assert [token.name for token in storage.tokens.list()] == ["project"]
    storage.projects.delete(project.id)
    assert storage.tokens.list() == []


def make_rule(storage: AdminStorage, name: str = "slow", **values: object) -> AlertRule:
    return storage.alert_rules.create(AlertRule(name, AlertKind.ERROR_RATE, 0.1, **values))


def make_message(rule: AlertRule, **values: object) -> AlertMessage:
    return AlertMessage(rule.id, AlertEvent.FIRING, **values)
