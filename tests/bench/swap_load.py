"""The load of `tests.bench.swap`, in a process of its own so that nothing else delays it.

    python -m tests.bench.swap_load '{"address": "127.0.0.1", "port": 8080, "host": "…", "other_host": "…", "rps": 300}'

Requests are sent at fixed moments, whatever became of those before them, and their time counts from that moment.
It goes on until its standard input ends, then waits for all that is open, and prints one JSON object.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

_STREAM_SECONDS = 20.0
_EVENT_PAUSE_MS = 250
_AGENT_MS = 10_000
_TIMEOUT = 60.0


@dataclass
class Load:
    """Where the load goes, and what came of it."""

    address: str
    port: int
    host: str
    rps: float
    other_host: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    seconds: list[tuple[float, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> dict[str, Any]:
        """Send until standard input ends, and return what came of it."""
        producers: list[Awaitable[None]] = [self._pace(self._send_short, self.rps)]
        if self.other_host:
            producers += self._list_long()
        await asyncio.gather(self._wait_for_end(), *producers)
        return {
            "counts": dict(self.counts),
            "versions": dict(self.versions),
            "seconds": self.seconds,
            "failures": self.failures[:20],
        }

    def _list_long(self) -> list[Awaitable[None]]:
        return [
            self._pace(self._call_agent, 1.0),
            self._pace(lambda: self._read_stream(self.host), 0.5),
            self._pace(lambda: self._read_stream(self.other_host), 0.2),
            self._pace(lambda: self._talk(self.host), 0.5),
            self._pace(lambda: self._talk(self.other_host), 0.2),
            *(self._keep_posting() for _ in range(4)),
        ]

    async def _wait_for_end(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        self.stopping.set()

    async def _pace(self, send: Callable[[], Awaitable[None]], per_second: float) -> None:
        """Start one ``send`` after the other at fixed moments, and wait for all of them in the end."""
        began, number, open_tasks = time.monotonic(), 0, set[asyncio.Task[None]]()
        while not self.stopping.is_set():
            due = began + number / per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.ensure_future(send())
            task.due = due  # type: ignore[attr-defined]
            open_tasks.add(task)
            task.add_done_callback(open_tasks.discard)
            number += 1
        await asyncio.gather(*open_tasks)

    # --- requests -----------------------------------------------------------------------------------------------------

    async def _send_short(self) -> None:
        due: float = getattr(asyncio.current_task(), "due", time.monotonic())
        is_post = self.counts["short"] % 3 == 2
        self.counts["short"] += 1
        answer = await self._ask("POST", "/?ms=0", b"x" * 2000) if is_post else await self._ask("GET", "/")
        if answer is not None:
            self.seconds.append((due, time.monotonic() - due))
            self._check(answer.get("size") == (2000 if is_post else None), f"wrong answer: {answer}")

    async def _call_agent(self) -> None:
        self.counts["agent_calls"] += 1
        answer = await self._ask("POST", f"/?ms={_AGENT_MS}", b"generate")
        self._check(answer is None or answer.get("size") == 8, f"wrong answer: {answer}")

    async def _keep_posting(self) -> None:
        """Send POSTs on one connection for as long as it is kept, as a client with a pool does; never twice."""
        connection: Connection | None = None
        while not self.stopping.is_set():
            self.counts["keep_alive_posts"] += 1
            try:
                connection = connection or await Connection.open(self)
                answer = await connection.ask("POST", "/?ms=0", b"y" * 500)
                self._check(json.loads(answer)["size"] == 500, "wrong answer")
                if not connection.is_kept:
                    connection.close()
                    connection = None
            except (TimeoutError, OSError, EOFError, ValueError) as exc:
                self._fail("keep-alive POST", exc)
                if connection:
                    connection.close()
                connection = None
            await asyncio.sleep(0.05)
        if connection:
            connection.close()

    async def _ask(self, method: str, path: str, body: bytes = b"") -> dict[str, Any] | None:
        connection = None
        try:
            connection = await Connection.open(self)
            answer = json.loads(await connection.ask(method, path, body, close=True))
            self.versions[answer["version"]] += 1
            return dict(answer)
        except (TimeoutError, OSError, EOFError, ValueError, LookupError) as exc:
            self._fail(f"{method} {path}", exc)
            return None
        finally:
            if connection:
                connection.close()

    # --- what stays open ----------------------------------------------------------------------------------------------

    async def _read_stream(self, host: str) -> None:
        self.counts["streams"] += 1
        count = int(_STREAM_SECONDS * 1000 / _EVENT_PAUSE_MS)
        connection = None
        try:
            connection = await Connection.open(self, host)
            body = await connection.ask("GET", f"/events?count={count}&ms={_EVENT_PAUSE_MS}", close=True)
            expected = "".join(f"data: {number}\n\n" for number in range(1, count + 1)) + "event: end\n\n"
            if body.decode() != expected:
                raise EOFError(f"it ended after {body.count(b'data')} of {count} events")
        except (TimeoutError, OSError, EOFError, ValueError) as exc:
            self._cut(f"events of {host}", exc)
        finally:
            if connection:
                connection.close()

    async def _talk(self, host: str) -> None:
        self.counts["websockets"] += 1
        connection = None
        try:
            connection = await Connection.open(self, host)
            await connection.upgrade()
            until = time.monotonic() + _STREAM_SECONDS
            number = 0
            while time.monotonic() < until:
                number += 1
                text = f"{host} {number}".encode()
                if await connection.echo(text) != text:
                    raise EOFError("it said something else")
                await asyncio.sleep(0.5)
            await connection.echo(b"", opcode=8)
        except (TimeoutError, OSError, EOFError, ValueError) as exc:
            self._cut(f"websocket of {host}", exc)
        finally:
            if connection:
                connection.close()

    # --- what came of it ----------------------------------------------------------------------------------------------

    def _check(self, is_right: bool, text: str) -> None:
        if not is_right:
            self._fail("request", ValueError(text))

    def _fail(self, what: str, exc: BaseException) -> None:
        self.counts["failed"] += 1
        self.failures.append(f"{time.time():.3f} {what}: {type(exc).__name__} {exc}")

    def _cut(self, what: str, exc: BaseException) -> None:
        self.counts["streams_cut"] += 1
        self.failures.append(f"{time.time():.3f} {what}: {type(exc).__name__} {exc}")


class Connection:
    """One connection, HTTP/1.1 by hand: a library would send again what failed, and hide it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader, self._writer, self._host = reader, writer, host
        self.is_kept = True

    @classmethod
    async def open(cls, load: Load, host: str = "") -> Connection:
        """Connect to the address of the load."""
        opened = await asyncio.wait_for(asyncio.open_connection(load.address, load.port), _TIMEOUT)
        return cls(*opened, host or load.host)

    async def ask(self, method: str, path: str, body: bytes = b"", *, close: bool = False) -> bytes:
        """Send a request and return the whole body of its answer; `ValueError` unless that is a 200."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}", *(["Connection: close"] if close else [])]
        if method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        return await asyncio.wait_for(self._read_answer(), _TIMEOUT)

    async def upgrade(self) -> None:
        """Make it a websocket."""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            *("GET /ws HTTP/1.1", f"Host: {self._host}", "Connection: Upgrade", "Upgrade: websocket"),
            *(f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""),
        ]
        self._writer.write("\r\n".join(lines).encode())
        status, _ = await asyncio.wait_for(self._read_head(), _TIMEOUT)
        if status != 101:
            raise ValueError(f"status {status} in place of an upgrade")

    async def echo(self, text: bytes, opcode: int = 1) -> bytes:
        """Send a frame and return what the next one brings."""
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(text))
        self._writer.write(bytes([0x80 | opcode, 0x80 | len(text)]) + mask + masked)
        head = await asyncio.wait_for(self._reader.readexactly(2), _TIMEOUT)
        if head[0] & 15 != opcode:
            raise EOFError(f"a frame of kind {head[0] & 15} came")
        return await asyncio.wait_for(self._reader.readexactly(head[1]), _TIMEOUT)

    def close(self) -> None:
        """End it."""
        self._writer.close()

    async def _read_answer(self) -> bytes:
        status, headers = await self._read_head()
        self.is_kept = headers.get("connection", "").lower() != "close"
        if "content-length" in headers:
            body = await self._reader.readexactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            body = await self._read_chunks()
        else:
            body = await self._reader.read()
        if status != 200:
            raise ValueError(f"status {status}: {body[:200].decode(errors='replace')}")
        return body

    async def _read_head(self) -> tuple[int, dict[str, str]]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        return int(head[0].split(" ")[1]), headers

    async def _read_chunks(self) -> bytes:
        parts = []
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            parts.append((await self._reader.readexactly(size + 2))[:-2])
        await self._reader.readuntil(b"\r\n")
        return b"".join(parts)


async def _run(options: dict[str, Any]) -> dict[str, Any]:
    return await Load(**options).run()


if __name__ == "__main__":
    gc.disable()  # its pauses would be taken for the router's
    print(json.dumps(asyncio.run(_run(json.loads(sys.argv[1])))))
