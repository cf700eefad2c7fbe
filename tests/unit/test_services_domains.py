"""Domains of deployments: who may have which, and what leads where."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import Conflict, InvalidInput, RouterError
from mastra_admin_sdk.models import BuildStatus, Deployment, Route, Tls
from mastra_admin_sdk.services.deployments.domains import check_domain

DOMAIN = "agents.example.com"
OTHER = "www.example.com"


def hosts_in_force(house: House, deployment: Deployment) -> dict[str, tuple[int, Tls]]:
    found = house.router.list_routes()
    return {route.host: (route.target_port, route.tls) for route in found if route.deployment_id == deployment.id}


def test_a_domain_leads_to_the_server_at_once_and_without_a_new_one(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    server = house.serving(deployment)
    changed = house.deployments.domains.set(deployment, [DOMAIN], Tls.INTERNAL)
    assert (changed.domains, changed.tls) == ((DOMAIN,), Tls.INTERNAL)
    assert hosts_in_force(house, deployment)[DOMAIN] == (server.port, Tls.INTERNAL)
    assert house.serving(deployment) == server
    assert house.deployments.list_urls(changed) == [
        "http://weather-main.search.localhost:8080",
        "http://weather.search.localhost:8080",
        f"https://{DOMAIN}:8443",
    ]


def test_domains_stay_through_a_redeploy_and_go_when_removed(house: House) -> None:
    deployment = house.add_deployment()
    house.deployments.domains.set(deployment, [DOMAIN, OTHER])
    assert house.router.list_routes() == []
    for _ in range(2):
        house.deploy(house.read(deployment))
        assert {DOMAIN, OTHER} < set(hosts_in_force(house, deployment))
        house.serving(deployment)
    house.deployments.domains.set(deployment, [OTHER])
    assert DOMAIN not in hosts_in_force(house, deployment)
    assert {route.host for route in house.storage.routes.list(deployment.id)} == set(hosts_in_force(house, deployment))
    house.deployments.domains.set(deployment, [])
    assert len(hosts_in_force(house, deployment)) == 2


def test_a_switch_that_began_before_a_domain_was_added_keeps_it(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    build = house.claim(deployment)
    house.deployments.domains.set(deployment, [DOMAIN])
    stale = house.storage.deployments.get(deployment.id)
    project = house.storage.projects.get(deployment.project_id)
    house.path.routes.lead_to(project, deployment, [house.serving(deployment)])
    assert stale.domains == (DOMAIN,)
    assert DOMAIN in hosts_in_force(house, deployment)
    assert house.pipeline.run(build, lambda: None).status is BuildStatus.SUCCEEDED
    assert DOMAIN in hosts_in_force(house, deployment)


def test_a_domain_belongs_to_one_deployment_running_or_not(house: House) -> None:
    first, second = house.add_deployment("one"), house.add_deployment("two")
    house.deployments.domains.set(first, [DOMAIN])
    house.deploy(second)
    before = hosts_in_force(house, second)
    with pytest.raises(Conflict, match=f"{DOMAIN} belongs to one/main already"):
        house.deployments.domains.set(second, [OTHER, DOMAIN.upper()])
    assert house.read(second).domains == ()
    assert hosts_in_force(house, second) == before
    house.deployments.domains.set(first, [])
    house.deployments.domains.set(second, [DOMAIN])
    assert DOMAIN in hosts_in_force(house, second)


def test_a_route_of_another_deployment_is_not_taken_over(house: House) -> None:
    first, second = house.add_deployment("one"), house.add_deployment("two")
    house.storage.routes.put(Route(DOMAIN, "127.0.0.1", 4100, first.id))
    with pytest.raises(Conflict):
        house.deployments.domains.set(second, [DOMAIN])


def test_what_the_router_cannot_serve_changes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    before = hosts_in_force(house, deployment)
    refuse_domains(house, monkeypatch)
    with pytest.raises(RouterError, match="port 8443"):
        house.deployments.domains.set(deployment, [DOMAIN], Tls.INTERNAL)
    assert (house.read(deployment).domains, house.read(deployment).tls) == ((), Tls.OFF)
    assert hosts_in_force(house, deployment) == before
    assert {route.host for route in house.storage.routes.list(deployment.id)} == set(before)
    assert not [event for event in house.storage.events.list() if event.action == "set_domains"]


def test_a_domain_that_cannot_be_served_any_more_stops_no_deploy(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment()
    house.deployments.domains.set(deployment, [DOMAIN], Tls.INTERNAL)
    refuse_domains(house, monkeypatch)
    assert house.deploy(house.read(deployment)).status is BuildStatus.SUCCEEDED
    assert len(hosts_in_force(house, deployment)) == 2


def test_domains_are_in_the_audit_log(house: House) -> None:
    deployment = house.add_deployment()
    house.deployments.domains.set(deployment, [DOMAIN], Tls.INTERNAL)
    (event,) = [item for item in house.storage.events.list() if item.action == "set_domains"]
    assert (event.object_id, event.actor) == (deployment.id, "tester")
    assert event.details.items() >= {"domains": [DOMAIN], "tls": "internal"}.items()


def test_a_domain_is_kept_once_in_lower_case_without_the_final_dot(house: House) -> None:
    deployment = house.deployments.domains.set(house.add_deployment(), ["Agents.Example.COM.", DOMAIN])
    assert deployment.domains == (DOMAIN,)


@pytest.mark.parametrize(
    "domain",
    [
        *("", "agents", "*.example.com", "https://a.example.com", "a.example.com:80", "a.example.com/x", "a b.example"),
        *("-a.example.com", "a..example.com", "127.0.0.1", "{env.HOME}.example.com", "münchen.example"),
        *(f"{'a' * 64}.com", "a.example.com\n.x", ".".join(["abcdefgh"] * 30)),
    ],
    ids=repr,
)
def test_what_is_no_host_name_is_refused(domain: str) -> None:
    with pytest.raises(InvalidInput, match="can't be a domain"):
        check_domain(domain, "localhost")


@pytest.mark.parametrize("domain", [None, 5, b"agents.example.com"], ids=repr)
def test_what_is_no_text_is_no_domain(domain: Any) -> None:
    with pytest.raises(InvalidInput, match="can't be a domain"):
        check_domain(domain, "localhost")


@pytest.mark.parametrize("domain", ["weather-main.search.localhost", "a.b.c.localhost"], ids=str)
def test_hosts_that_are_made_from_names_are_nobodys_to_choose(domain: str) -> None:
    with pytest.raises(InvalidInput, match="made from the names"):
        check_domain(domain, "localhost")


@pytest.mark.parametrize("domain", ["agents.localhost", "a.b.example.org", "xn--mnchen-3ya.example.org"], ids=str)
def test_others_are_taken(domain: str) -> None:
    assert check_domain(domain, "localhost") == domain


def test_a_text_is_one_domain(house: House) -> None:
    assert house.deployments.domains.set(house.add_deployment(), DOMAIN).domains == (DOMAIN,)


def test_a_domain_does_not_inherit_the_certificates_of_those_that_were_removed(house: House) -> None:
    deployment = house.add_deployment()
    house.deployments.domains.set(deployment, [DOMAIN], Tls.INTERNAL)
    assert house.deployments.domains.set(deployment, [OTHER]).tls is Tls.INTERNAL
    assert house.deployments.domains.set(deployment, []).tls is Tls.OFF
    assert house.deployments.domains.set(deployment, [DOMAIN]).tls is Tls.OFF


def test_a_public_certificate_is_not_asked_for_where_none_is_given(house: House) -> None:
    with pytest.raises(InvalidInput, match="No public authority"):
        house.deployments.domains.set(house.add_deployment(), ["agents.localhost"], Tls.AUTO)


def refuse_domains(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    register = house.router.register

    def refuse(route: Route) -> None:
        if route.tls is not Tls.OFF:
            raise RouterError("The router doesn't listen on port 8443.")
        register(route)

    monkeypatch.setattr(house.router, "register", refuse)
