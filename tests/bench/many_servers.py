"""One process that answers on many ports, as so many Mastra servers with nothing to do would.

    python -m tests.bench.many_servers 150

Prints the ports as a JSON list, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import sys

_ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\nConnection: close\r\n\r\n{"success":true}'


async def main(count: int) -> None:
    """Listen until standard input ends."""
    servers = [await asyncio.start_server(_answer, "127.0.0.1", 0) for _ in range(count)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for server in servers:
        server.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_ANSWER)
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # who asked is gone
    finally:
        writer.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
