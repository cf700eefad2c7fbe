from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mastra_admin_sdk.errors import RequestFailed
from mastra_admin_sdk.ports.router import ROUTER_HEADER, RouterEndpoint
from mastra_admin_sdk.services.deployments.requests import request

HOST = "weather-agent-main.search.localhost"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        route = self.path.split("?")[0].strip("/") or "echo"
        getattr(self, f"answer_{route}")()

    do_POST = do_GET

    def answer_echo(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send(
            200, {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body.decode()}
        )

    def answer_boom(self) -> None:
        self.send(500, {"error": "the weather is broken"})

    def answer_unknown(self) -> None:
        self.send(404, "No deployment answers here", {ROUTER_HEADER: "no-route"})

    def answer_gone(self) -> None:
        self.send(502, "The server does not answer", {ROUTER_HEADER: "no-answer"})

    def answer_away(self) -> None:
        self.send(302, "", {"Location": "http://example.com/stolen"})

    def answer_latin(self) -> None:
        self.send(200, "Grüße".encode("latin-1"), {"Content-Type": "text/plain; charset=latin-1"})

    def answer_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: one\r\n\r\n")
        assert self.server.go_on.wait(10)
        self.wfile.write(b"data: two\n")
        self.close_connection = True

    def answer_silent(self) -> None:
        self.server.go_on.wait(10)
        self.close_connection = True

    def answer_hangup(self) -> None:
        self.server.hangups += 1
        if self.server.hangups > 1 and self.command == "GET":
            self.send(200, "back")
        self.close_connection = True

    def answer_cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        sent = (
            body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        )
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.go_on = threading.Event()
        self.hangups = 0


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def endpoint(server: Server) -> RouterEndpoint:
    return RouterEndpoint("http", "127.0.0.1", server.server_port)


def test_the_host_is_sent_without_being_looked_up(endpoint: RouterEndpoint) -> None:
    answer = request(endpoint, HOST, "GET", "/echo?a=1", headers={"X-One": "1", "Host": "evil.example"})
    seen = answer.json()
    assert (answer.status, seen["method"], seen["path"]) == (200, "GET", "/echo?a=1")
    assert (seen["headers"]["Host"], seen["headers"]["X-One"]) == (f"{HOST}:{endpoint.port}", "1")
    assert answer.headers["Content-Length"] == str(len(answer.content))


@pytest.mark.parametrize(
    ("options", "body", "content_type"),
    [
        pytest.param({"json": {"a": 1}}, '{"a": 1}', "application/json", id="json"),
        pytest.param({"json": []}, "[]", "application/json", id="empty-json"),
        pytest.param({"json": 1, "headers": {"content-type": "x/y"}}, "1", "x/y", id="json-with-own-type"),
        pytest.param({"data": "é"}, "é", None, id="text"),
        pytest.param({"data": b"raw"}, "raw", None, id="bytes"),
    ],
)
def test_bodies(endpoint: RouterEndpoint, options: dict[str, Any], body: str, content_type: str | None) -> None:
    seen = request(endpoint, HOST, "POST", "/echo", **options).json()
    found = {name.lower(): value for name, value in seen["headers"].items()}
    assert (seen["body"], found.get("content-type")) == (body, content_type)


def test_an_error_carries_host_status_and_body(endpoint: RouterEndpoint) -> None:
    with pytest.raises(RequestFailed, match="the deployment answered 500") as caught:
        request(endpoint, HOST, "GET", "/boom")
    assert caught.value.evidence == {"host": HOST, "status": 500, "body": '{"error": "the weather is broken"}'}
    assert request(endpoint, HOST, "GET", "/boom", check=False).status == 500


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        pytest.param("/unknown", 404, "no-route", id="unknown-host"),
        pytest.param("/gone", 502, "no-answer", id="dead-server"),
    ],
)
def test_answers_of_the_router_itself_are_told_apart(
    endpoint: RouterEndpoint, path: str, status: int, reason: str
) -> None:
    with pytest.raises(RequestFailed, match=f"the router answered {status}") as caught:
        request(endpoint, HOST, "GET", path)
    assert caught.value.evidence["router"] == reason
    assert request(endpoint, HOST, "GET", path, check=False).router_reason == reason


def test_redirects_are_not_followed(endpoint: RouterEndpoint) -> None:
    answer = request(endpoint, HOST, "GET", "/away")
    assert (answer.status, answer.headers["Location"]) == (302, "http://example.com/stolen")


def test_text_is_decoded_as_the_answer_says(endpoint: RouterEndpoint) -> None:
    answer = request(endpoint, HOST, "GET", "/latin")
    assert answer.text == "Grüße"
    with pytest.raises(RequestFailed, match="isn't JSON") as caught:
        answer.json()
    assert caught.value.evidence["body"] == "Grüße"


def test_lines_of_a_stream_arrive_one_by_one(server: Server, endpoint: RouterEndpoint) -> None:
    answer = request(endpoint, HOST, "GET", "/stream", stream=True)
    lines = answer.iter_lines()
    assert (next(lines), next(lines)) == ("data: one", "")
    server.go_on.set()
    assert list(lines) == ["data: two"]


def test_lines_of_an_answer_that_was_read_already(endpoint: RouterEndpoint, server: Server) -> None:
    server.go_on.set()
    answer = request(endpoint, HOST, "GET", "/stream")
    assert list(answer.iter_lines()) == ["data: one", "", "data: two"]


def test_a_stream_can_be_left(endpoint: RouterEndpoint) -> None:
    with request(endpoint, HOST, "GET", "/stream", stream=True) as answer:
        assert next(answer.iter_lines()) == "data: one"
    answer.close()


def test_silence_ends_after_the_timeout(endpoint: RouterEndpoint) -> None:
    with pytest.raises(RequestFailed, match="no answer in time"):
        request(endpoint, HOST, "GET", "/silent", timeout=0.1)


def test_a_dropped_connection_is_asked_again_where_that_is_harmless(server: Server, endpoint: RouterEndpoint) -> None:
    assert request(endpoint, HOST, "GET", "/hangup").text == "back"
    server.hangups = 0
    with pytest.raises(RequestFailed, match="closed connection"):
        request(endpoint, HOST, "POST", "/hangup")
    assert server.hangups == 1


def test_half_an_answer_is_none(endpoint: RouterEndpoint) -> None:
    with pytest.raises(RequestFailed, match="IncompleteRead"):
        request(endpoint, HOST, "GET", "/cut")


def test_no_router_is_said() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(RequestFailed, match="router isn't running"):
            request(RouterEndpoint("http", "127.0.0.1", closed.getsockname()[1]), HOST, "GET", "/")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        pytest.param("GET", "http://example.com/", {}, id="whole-address"),
        pytest.param("GET", "/a b", {}, id="space"),
        pytest.param("GET", "/a\r\nX: 1", {}, id="line-break-in-path"),
        pytest.param("GET /x HTTP/1.1\r\nX: 1", "/", {}, id="line-break-in-method"),
        pytest.param("GET", "/ü", {}, id="not-ascii"),
        pytest.param("GET", "/", {"X": "a\r\nHost: evil"}, id="line-break-in-header"),
    ],
)
def test_what_could_smuggle_something_in_is_refused(
    endpoint: RouterEndpoint, method: str, path: str, headers: dict[str, str]
) -> None:
    with pytest.raises(RequestFailed):
        request(endpoint, HOST, method, path, headers=headers)
