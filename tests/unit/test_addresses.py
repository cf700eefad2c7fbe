from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import DeploymentType
from mastra_admin_sdk.services.deployments.addresses import make_deployment_slug, make_hosts, make_slug

LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")

texts = st.one_of(
    st.text(max_size=100),
    st.text(alphabet="abAB- _/.x0123456789", max_size=80),
    st.sampled_from(["main", "feature/x; rm -rf /", "Feature X", "feature-x", "x1234567", "a-x1234567", "日本"]),
)
slugs = st.one_of(
    texts.map(make_slug),
    st.from_regex(r"[a-c](-?[a-c]){0,3}", fullmatch=True),
    st.lists(st.sampled_from(["a", "main", "staging", "dev", "production", "x1234567"]), min_size=1, max_size=4).map(
        "-".join
    ),
)


def fold(text: str) -> str:
    """What `make_slug` takes for the same name."""
    return re.sub(r"[A-Z ]", lambda found: found[0].lower().replace(" ", "-"), text)


@given(texts)
def test_a_slug_is_a_label_and_always_the_same(text: str) -> None:
    assert LABEL.fullmatch(make_slug(text))
    assert make_slug(text) == make_slug(text)


@given(texts, texts)
def test_different_names_get_different_slugs(one: str, other: str) -> None:
    assert fold(one) == fold(other) or make_slug(one) != make_slug(other)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        pytest.param("Search", "search", id="upper-case"),
        pytest.param("Data Science", "data-science", id="two-words"),
        pytest.param("weather-agent", "weather-agent", id="hyphen"),
        pytest.param("v2", "v2", id="digit"),
    ],
)
def test_ordinary_names_stay_readable(name: str, slug: str) -> None:
    assert make_slug(name) == slug


@pytest.mark.parametrize(
    "branch",
    [
        pytest.param("feature/x; rm -rf /", id="shell-command"),
        pytest.param("", id="empty"),
        pytest.param("日本", id="no-usable-letter"),
        pytest.param("a" * 300, id="long"),
        pytest.param("\ud800", id="lone-surrogate"),
        pytest.param("\u212a8s", id="kelvin-sign"),
        pytest.param("xn--mnchen-3ya", id="punycode"),
    ],
)
def test_hostile_branches_become_labels_with_a_hash(branch: str) -> None:
    assert re.fullmatch(r"([a-z0-9-]+-)?x[0-9a-f]{7}", make_deployment_slug(branch, DeploymentType.PREVIEW, ()))


def test_a_second_deployment_of_a_branch_is_named_with_its_type() -> None:
    assert make_deployment_slug("main", DeploymentType.PRODUCTION, set()) == "main"
    assert make_deployment_slug("main", DeploymentType.STAGING, {"main"}) == "main-staging"


@given(texts, st.sampled_from(DeploymentType))
def test_a_deployment_slug_is_never_a_taken_one(branch: str, type: DeploymentType) -> None:
    taken: set[str] = set()
    for _ in range(3):
        slug = make_deployment_slug(branch, type, taken)
        assert slug not in taken
        assert LABEL.fullmatch(slug)
        taken.add(slug)


def test_hosts_of_a_default_production_deployment() -> None:
    hosts = make_hosts("search", "weather-agent", "main", base_domain="localhost", is_default_production=True)
    assert hosts == ["weather-agent-main.search.localhost", "weather-agent.search.localhost"]


def test_other_deployments_have_one_host() -> None:
    hosts = make_hosts(
        "search", "weather-agent", "main-staging", base_domain="example.com", is_default_production=False
    )
    assert hosts == ["weather-agent-main-staging.search.example.com"]


@given(slugs, slugs, slugs)
def test_hosts_are_made_of_labels(team: str, project: str, slug: str) -> None:
    for host in make_hosts(team, project, slug, base_domain="localhost", is_default_production=True):
        assert all(LABEL.fullmatch(label) for label in host.split("."))


@given(slugs, slugs, slugs, slugs)
def test_two_deployments_never_share_a_host(project: str, slug: str, other_project: str, other_slug: str) -> None:
    first = make_hosts("t", project, slug, base_domain="localhost", is_default_production=True)
    second = make_hosts("t", other_project, other_slug, base_domain="localhost", is_default_production=True)
    if (project, slug) != (other_project, other_slug):
        assert first[0] != second[0]
    if project != other_project:
        assert not set(first) & set(second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a-b", "c"), ("a", "b-c"), id="moved-hyphen"),
        pytest.param(("a-main", "staging"), ("a", "main-staging"), id="moved-plain-ending"),
        pytest.param(("a" * 63, "b" * 63), ("a" * 63, "b" * 62 + "c"), id="cut"),
    ],
)
def test_pairs_that_join_to_one_label_differ(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert _hosts(*one)[0] not in _hosts(*other)
    assert _hosts(*other)[0] not in _hosts(*one)


def test_a_project_called_like_a_deployment_has_an_address_of_its_own() -> None:
    assert not set(_hosts("weather-agent-main", "main")) & set(_hosts("weather-agent", "main"))


@pytest.mark.parametrize("slug", ["", "A", "-a", "a.b", "a" * 64, "a\n"], ids=repr)
def test_what_is_no_label_is_refused(slug: str) -> None:
    with pytest.raises(InvalidInput, match="part of a host name"):
        make_hosts("team", "project", slug, base_domain="localhost", is_default_production=False)


def _hosts(project: str, slug: str) -> list[str]:
    return make_hosts("team", project, slug, base_domain="localhost", is_default_production=True)
