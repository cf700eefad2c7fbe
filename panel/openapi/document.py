"""The OpenAPI 3.1 document, made of the endpoints that an app has.

Its schemas are those that pydantic makes: JSON Schema 2020-12, which is what OpenAPI 3.1 takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from werkzeug.routing import Rule

from mastra_admin_sdk import __version__

from ..api.schemas.problems import ProblemItem
from ..principals import find_need
from .endpoints import ATTRIBUTE, Endpoint
from .reading import is_optional
from .wording import DESCRIPTION, PARAMETERS, TAGS, describe_need, describe_status

_REF = "#/components/schemas/{model}"
_METHODS = ("get", "post", "put", "patch", "delete")

Json = dict[str, Any]
Operations = list[tuple[str, str, Rule, Endpoint, Any]]


def build_document(app: Flask) -> Json:
    """Return the document of all endpoints of an app.

    Raises:
        ValueError: two endpoints have one name.
    """
    operations = list_operations(app)
    schemas = _Schemas(endpoint for *_, endpoint, _ in operations)
    paths: Json = {}
    for path, method, rule, endpoint, view in operations:
        paths.setdefault(path, {})[method] = _describe_operation(method, rule, endpoint, view, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "MastraAdmin", "version": __version__, "description": DESCRIPTION},
        "security": [{"token": []}, {"session": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if _has(operations, name)],
        "paths": paths,
        "components": {"schemas": schemas.shared, "securitySchemes": _list_security(app)},
    }


def list_operations(app: Flask) -> Operations:
    """Return path, method, rule, endpoint and view of all that is documented, by path."""
    found = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        described: Endpoint | None = getattr(view, ATTRIBUTE, None)
        if described is not None:
            path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
            methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
            found += [(path, method.lower(), rule, described, view) for method in methods]
    _check_names(found)
    return sorted(found, key=lambda item: (item[0], _METHODS.index(item[1])))


def _check_names(operations: Operations) -> None:
    names = [endpoint.name for *_, endpoint, _ in operations]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"Endpoints of one name: {', '.join(sorted(twice))}")


def _has(operations: Operations, tag: str) -> bool:
    return any(endpoint.tag == tag for *_, endpoint, _ in operations)


class _Schemas:
    """The schemas of all models, by model and what they are used for."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ProblemItem, "serialization"): None}
        queries: dict[type[BaseModel], None] = {}
        for endpoint in endpoints:
            queries[endpoint.query] = None
            if endpoint.body:
                models[endpoint.body, "validation"] = None
            if endpoint.answer:
                models[endpoint.answer, "serialization"] = None
        wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [*models, *((item, "validation") for item in queries)]
        found, definitions = models_json_schema(wanted, ref_template=_REF)
        self._refs = {key: schema["$ref"] for key, schema in found.items()}
        self.shared: Json = dict(sorted(definitions.get("$defs", {}).items()))
        # Queries are written out as parameters.
        self._queries = {query: self.shared.pop(self._name(query)) for query in queries}

    def refer(self, model: type[BaseModel], mode: JsonSchemaMode) -> Json:
        return {"$ref": self._refs[model, mode]}

    def list_parameters(self, query: type[BaseModel]) -> list[Json]:
        schema = self._queries[query]
        required = schema.get("required", [])
        return [
            _describe_parameter(name, field, name in required) for name, field in schema.get("properties", {}).items()
        ]

    def _name(self, query: type[BaseModel]) -> str:
        return str(self._refs[query, "validation"]).rsplit("/", 1)[-1]


def _describe_parameter(name: str, field: Mapping[str, Any], required: bool) -> Json:
    schema = {key: value for key, value in field.items() if key not in {"title", "description"}}
    # A query can't hold null: leaving the parameter away is how it isn't given.
    choices = [choice for choice in schema.pop("anyOf", []) if choice != {"type": "null"}]
    schema.update(choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {})
    if schema.get("default", ...) is None:
        del schema["default"]
    described = {"name": name, "in": "query", "required": required, "schema": schema}
    return described | ({"description": field["description"]} if "description" in field else {})


def _describe_operation(method: str, rule: Rule, endpoint: Endpoint, view: Any, schemas: _Schemas) -> Json:
    summary, _, rest = endpoint.text.partition("\n")
    need = find_need(view, method.upper())
    scope = need.scope.value
    operation: Json = {
        "operationId": endpoint.name,
        "tags": [endpoint.tag],
        "summary": summary.strip(),
        "description": f"{rest.strip()}\n\n{describe_need(need)}".strip(),
        "parameters": [*_list_path_parameters(rule), *schemas.list_parameters(endpoint.query)],
        "responses": _describe_responses(rule, endpoint, schemas),
        "security": [{"token": [scope]}, {"session": [scope]}],
    }
    headers = _list_headers(endpoint)
    operation["parameters"] += headers
    if endpoint.body:
        content = {"application/json": {"schema": schemas.refer(endpoint.body, "validation")}}
        operation["requestBody"] = {"required": not is_optional(endpoint.body), "content": content}
    return operation


def _list_path_parameters(rule: Rule) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PARAMETERS.get(name, "Its id."),
            "schema": {"type": "string", "minLength": 1},
        }
        for name in sorted(rule.arguments, key=rule.rule.index)
    ]


def _list_headers(endpoint: Endpoint) -> list[Json]:
    text: Json = {"type": "string"}
    key = {"type": "string", "pattern": "^[!-~]+$", "minLength": 1, "maxLength": 200}
    headers = [
        (endpoint.conditional, "If-None-Match", "The ETag that is known: 304 when it is still the same.", text),
        (endpoint.matched, "If-Match", "The ETag of what is to be changed: 412 when it was changed meanwhile.", text),
        (endpoint.idempotent, "Idempotency-Key", "A name of yours for this request: sent again, it counts once.", key),
    ]
    return [
        {"name": name, "in": "header", "required": False, "description": said, "schema": schema}
        for wanted, name, said, schema in headers
        if wanted
    ]


def _describe_responses(rule: Rule, endpoint: Endpoint, schemas: _Schemas) -> Json:
    answers: Json = {str(endpoint.status): _describe_answer(endpoint, schemas)}
    if endpoint.conditional:
        answers["304"] = {"description": "It is as the ETag says: nothing has changed."}
    problem = {"application/json": {"schema": schemas.refer(ProblemItem, "serialization")}}
    for status in sorted(list_failures(rule, endpoint)):
        answers[str(status)] = {"description": describe_status(status), "content": problem}
    if endpoint.query.model_fields:
        # The server's own answer, before the panel sees the request.
        text = {"text/html": {"schema": {"type": "string"}}}
        answers["414"] = {"description": describe_status(414), "content": text}
    return answers


def _describe_answer(endpoint: Endpoint, schemas: _Schemas) -> Json:
    described: Json = {"description": HTTPStatus(endpoint.status).phrase}
    headers = {
        "Location": endpoint.has_location and "The address of what was made, or of the build that was queued.",
        "ETag": endpoint.conditional and "Stands for what is answered; send it in If-None-Match next time.",
    }
    told = {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items() if text}
    if told:
        described["headers"] = told
    if endpoint.answer:
        described["content"] = {"application/json": {"schema": schemas.refer(endpoint.answer, "serialization")}}
    elif endpoint.media:
        described["content"] = {endpoint.media: {"schema": {"type": "string"}}}
    return described


def list_failures(rule: Rule, endpoint: Endpoint) -> set[int]:
    """Return the statuses of all errors that an endpoint may answer with."""
    found = {401, 403, 422, 503, *endpoint.fails}
    if rule.arguments:
        found.add(404)
    if endpoint.body:
        found |= {400, 413, 415}
    if endpoint.matched:
        found.add(412)
    return found


def _list_security(app: Flask) -> Json:
    return {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of `/api/tokens`, or the panel's own (`run/panel-token` in the home).",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": app.config["SESSION_COOKIE_NAME"],
            "description": "The session of a browser that signed in. Changes need the panel's own Origin, too.",
        },
    }
