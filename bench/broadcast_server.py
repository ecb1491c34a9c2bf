"""Baseline: what one writes first with `websockets`. Every batch of quotes becomes one frame, broadcast to all; nobody may be slow.

`python -m bench.broadcast_server PORT NATS_URL`
"""

import asyncio
import json
import sys

import nats
import uvloop
from nats.aio.msg import Msg
from websockets.asyncio.server import ServerConnection, broadcast, serve

from bench.plain_quotes import plain
from runtime import subjects


async def main(port: int, nats_url: str) -> None:
    """Serve for ever."""
    sockets: set[ServerConnection] = set()

    async def stay(socket: ServerConnection) -> None:
        sockets.add(socket)
        try:
            await socket.wait_closed()
        finally:
            sockets.discard(socket)

    async def tell(message: Msg) -> None:
        broadcast(sockets, json.dumps(plain(message.data), separators=(",", ":")))

    client = await nats.connect(nats_url)
    await client.subscribe(subjects.quotes_live(None), cb=tell)
    async with serve(stay, "127.0.0.1", port, compression=None, backlog=1024):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), sys.argv[2]))
