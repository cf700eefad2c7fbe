"""Endpoints: what they take, what they refuse, and what the document says of them."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, Response, url_for
from flask.testing import FlaskClient
from pydantic import Field

from mastra_admin_panel.api.schemas.base import Answer, Body, Count, Name, Query, Text, When
from mastra_admin_panel.openapi import Located, Tagged, build_document, endpoint
from mastra_admin_panel.problems import handle_errors


class Thing(Answer):
    name: str
    size: int | None = None


class ThingItem(Answer):
    thing: Thing


class NewThing(Body):
    name: Name
    note: Text = ""
    size: Count | None = None
    ratio: float | None = None
    labels: dict[str, Text] = Field(default_factory=dict)


class ThingQuery(Query):
    limit: int = Field(10, ge=1, le=100)
    words: tuple[str, ...] = ()
    exact: bool = False
    share: float | None = None
    since: When | None = None


def make_app() -> Flask:
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=100_000, SESSION_COOKIE_NAME="panel")
    handle_errors(app)

    @app.get("/api/things/<thing_id>")
    @endpoint(conditional=True)
    def show_thing(thing_id: str) -> ThingItem:
        """Show a thing.

        Whatever it is.
        """
        return ThingItem(thing=Thing(name=thing_id))

    @app.get("/api/things")
    @endpoint()
    def list_things(query: ThingQuery) -> Thing:
        """List things."""
        return Thing(name=query.model_dump_json(), size=query.limit)

    @app.post("/api/things")
    @endpoint(status=201, fails=[409])
    def create_thing(body: NewThing) -> Located[ThingItem]:
        """Create a thing."""
        return Located(ThingItem(thing=Thing(name=body.name)), url_for("show_thing", thing_id=body.name))

    @app.patch("/api/things/<thing_id>")
    @endpoint(match=show_thing)
    def change_thing(thing_id: str, body: NewThing) -> ThingItem:
        """Change a thing."""
        return ThingItem(thing=Thing(name=thing_id, size=len(body.changes())))

    @app.delete("/api/things/<thing_id>")
    @endpoint(status=204)
    def delete_thing(thing_id: str) -> None:
        """Delete a thing."""

    @app.get("/api/moving")
    @endpoint(conditional=True)
    def show_moving() -> Tagged[Thing]:
        """Show what moves."""
        return Tagged(Thing(name="moving"), "fixed")

    @app.get("/api/text")
    @endpoint(media="text/plain")
    def show_text() -> Response:
        """Show text."""
        return Response("text", mimetype="text/plain")

    @app.get("/api/wrong")
    @endpoint()
    def show_wrong() -> ThingItem:
        """Answer something else."""
        return Thing(name="wrong")  # type: ignore[return-value]

    return app


@pytest.fixture(scope="module")
def app() -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def refuse(answer: Any, status: int, code: str, *fields: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code), answer.text
    assert list(answer.json["error"]["details"].get("fields", {})) == list(fields)
    return answer.json["error"]


# --- bodies -----------------------------------------------------------------------------------------------------------


def test_a_good_body_makes_a_thing_and_says_where_it_is(client: FlaskClient) -> None:
    answer = client.post("/api/things", json={"name": "a", "labels": {"x": "y"}})
    assert (answer.status_code, answer.json) == (201, {"thing": {"name": "a", "size": None}})
    assert answer.headers["Location"] == "/api/things/a"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({}, "name", id="missing"),
        pytest.param({"name": ""}, "name", id="empty"),
        pytest.param({"name": 5}, "name", id="number-for-text"),
        pytest.param({"name": None}, "name", id="null"),
        pytest.param({"name": "x" * 201}, "name", id="too-long"),
        pytest.param({"name": "a\0b"}, "name", id="nul"),
        pytest.param({"name": "a", "size": "5"}, "size", id="text-for-number"),
        pytest.param({"name": "a", "size": True}, "size", id="boolean-for-number"),
        pytest.param({"name": "a", "size": 1.5}, "size", id="fraction"),
        pytest.param({"name": "a", "size": 10**40}, "size", id="huge"),
        pytest.param({"name": "a", "size": -1}, "size", id="negative"),
        pytest.param({"name": "a", "nmae": "b"}, "nmae", id="unknown-field"),
        pytest.param({"name": "a", "labels": {"x": 1}}, "labels.x", id="in-an-object"),
        pytest.param({"name": "a", "labels": {"x\0": "y"}}, "labels", id="nul-in-a-key"),
        pytest.param([], "body", id="list"),
        pytest.param("null", "body", id="text"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(client: FlaskClient, body: Any, field: str) -> None:
    refuse(client.post("/api/things", json=body), 422, "invalid_input", field)


def test_what_was_sent_is_not_repeated_in_the_answer(client: FlaskClient) -> None:
    answer = client.post("/api/things", json={"name": ["hunter2"], "size": "hunter2"})
    error = refuse(answer, 422, "invalid_input", "name", "size")
    assert "hunter2" not in answer.text
    assert error["message"] == "2 fields can't be used: name, size."


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="broken"),
        pytest.param(b'{"name": "a",}', id="comma"),
        pytest.param(b"\xff\xfe", id="binary"),
        pytest.param(b'{"name": "\xff"}', id="not-utf8"),
        pytest.param(b'{"name": "\\ud800"}', id="lone-surrogate"),
        pytest.param(b"[" * 50_000, id="deep"),
        pytest.param(b'{"name": "a", "ratio": NaN}', id="nan"),
    ],
)
def test_what_is_no_json_is_refused_as_that(client: FlaskClient, data: bytes) -> None:
    answer = client.post("/api/things", data=data, content_type="application/json")
    if answer.status_code == 422:  # some readers know NaN as a number, which no field takes
        refuse(answer, 422, "invalid_input", "ratio")
    else:
        refuse(answer, 400, "invalid_json")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_another_type_is_refused(client: FlaskClient, kind: str) -> None:
    refuse(client.post("/api/things", data=b'{"name": "a"}', content_type=kind), 415, "unsupported_media_type")


def test_the_charset_is_no_matter(client: FlaskClient) -> None:
    answer = client.post("/api/things", data=b'{"name": "a"}', content_type="application/json; charset=utf-8")
    assert answer.status_code == 201


def test_a_body_that_is_too_large_is_refused(client: FlaskClient) -> None:
    refuse(client.post("/api/things", json={"name": "x" * 200_000}), 413, "request_entity_too_large")


def test_what_takes_no_body_refuses_one(client: FlaskClient) -> None:
    refuse(client.delete("/api/things/a", json={"force": True}), 422, "invalid_input", "body")
    assert client.delete("/api/things/a").status_code == 204


def test_only_the_fields_that_were_sent_are_changes(client: FlaskClient) -> None:
    assert client.patch("/api/things/a", json={"name": "b", "size": None}).json["thing"]["size"] == 2


# --- queries ----------------------------------------------------------------------------------------------------------


def test_a_query_is_read_by_type(client: FlaskClient) -> None:
    asked = "limit=5&words=a&words=b&exact=true&share=0.5&since=2026-11-23T12:00:00%2B01:00"
    found = client.get(f"/api/things?{asked}").json
    assert found["size"] == 5
    for said in ('"words":["a","b"]', '"exact":true', '"share":0.5', "2026-11-23T12:00:00+01:00"):
        assert said in found["name"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        pytest.param("limit=0", "limit", id="too-small"),
        pytest.param("limit=", "limit", id="empty"),
        pytest.param("limit=1_0", "limit", id="underscore"),
        pytest.param("limit=%D9%A3", "limit", id="other-digits"),
        pytest.param("limit=1e1", "limit", id="exponent"),
        pytest.param("limit=" + "9" * 5000, "limit", id="huge"),
        pytest.param("limit=1&limit=2", "limit", id="twice"),
        pytest.param("exact=yes", "exact", id="no-boolean"),
        pytest.param("share=inf", "share", id="infinite"),
        pytest.param("share=1e999", "share", id="overflow"),
        pytest.param("since=2026-11-23T12:00:00", "since", id="no-zone"),
        pytest.param("since=0001-01-01T00:00:00Z", "since", id="first-year"),
        pytest.param("words=a%00b", "words.0", id="nul"),
        pytest.param("page=2", "page", id="unknown"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(client: FlaskClient, asked: str, field: str) -> None:
    refuse(client.get(f"/api/things?{asked}"), 422, "invalid_input", field)


def test_what_takes_no_query_refuses_one(client: FlaskClient) -> None:
    refuse(client.get("/api/things/a?limit=5"), 422, "invalid_input", "limit")


@pytest.mark.parametrize("path", ["a%00b", "%00"])
def test_a_path_with_a_nul_names_nothing(client: FlaskClient, path: str) -> None:
    refuse(client.get(f"/api/things/{path}"), 404, "not_found")


# --- tags -------------------------------------------------------------------------------------------------------------


def test_what_is_known_is_not_sent_again(client: FlaskClient) -> None:
    etag = client.get("/api/things/a").headers["ETag"]
    again = client.get("/api/things/a", headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/api/things/b", headers={"If-None-Match": etag}).status_code == 200


def test_a_known_tag_stands_for_what_moves(client: FlaskClient) -> None:
    assert client.get("/api/moving").headers["ETag"] == 'W/"fixed"'


def test_a_change_of_what_was_changed_meanwhile_is_refused(client: FlaskClient) -> None:
    etag = client.get("/api/things/a").headers["ETag"]
    wanted = {"json": {"name": "b"}, "headers": {"If-Match": etag}}
    assert client.patch("/api/things/a", **wanted).status_code == 200
    refuse(client.patch("/api/things/b", **wanted), 412, "precondition_failed")
    assert client.patch("/api/things/b", json={"name": "b"}, headers={"If-Match": "*"}).status_code == 200


# --- answers ----------------------------------------------------------------------------------------------------------


def test_other_types_are_passed_on(client: FlaskClient) -> None:
    assert client.get("/api/text").text == "text"


def test_an_answer_that_is_not_the_documented_one_is_a_fault(client: FlaskClient) -> None:
    refuse(client.get("/api/wrong"), 500, "internal_error")


# --- the document -----------------------------------------------------------------------------------------------------


def test_the_document_tells_what_is_taken_and_answered(app: Flask) -> None:
    document = build_document(app)
    create = document["paths"]["/api/things"]["post"]
    assert create["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/NewThing"}
    assert sorted(create["responses"]) == ["201", "400", "401", "403", "409", "413", "415", "422", "503"]
    assert "Location" in create["responses"]["201"]["headers"]
    show = document["paths"]["/api/things/{thing_id}"]["get"]
    assert (show["summary"], show["operationId"]) == ("Show a thing.", "show_thing")
    assert show["description"].startswith("Whatever it is.")
    assert {"304", "404"} <= set(show["responses"])
    assert document["components"]["schemas"]["NewThing"]["additionalProperties"] is False


def test_a_parameter_that_may_be_left_away_is_not_null_in_the_document(app: Flask) -> None:
    listed = {item["name"]: item for item in build_document(app)["paths"]["/api/things"]["get"]["parameters"]}
    assert listed["since"]["schema"]["format"] == "date-time"
    assert "anyOf" not in listed["since"]["schema"]
    assert listed["words"]["schema"]["type"] == "array"
    assert listed["limit"]["required"] is False


def test_the_document_is_a_valid_one(app: Flask) -> None:
    from jsonschema_rs import meta, validator_for

    document = build_document(app)
    for name, schema in document["components"]["schemas"].items():
        meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})
        validator_for({**schema, "components": document["components"]})
        assert "$defs" not in schema, name


def test_two_endpoints_of_one_name_are_a_fault() -> None:
    app = make_app()
    app.add_url_rule("/api/other", "other", app.view_functions["show_text"])
    with pytest.raises(ValueError, match="show_text"):
        build_document(app)
