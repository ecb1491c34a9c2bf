"""Baseline: what one writes first with FastAPI and uvicorn. Every batch is sent to every socket in a loop, as JSON made for it.

`python -m bench.fastapi_server PORT NATS_URL`
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from nats.aio.msg import Msg

from bench.plain_quotes import plain
from runtime import subjects


def an_app(nats_url: str) -> FastAPI:
    """Return the application."""
    sockets: set[WebSocket] = set()

    async def tell(message: Msg) -> None:
        told = plain(message.data)
        for socket in tuple(sockets):
            await socket.send_json(told)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        client = await nats.connect(nats_url)
        await client.subscribe(subjects.quotes_live(None), cb=tell)
        yield
        await client.close()

    app = FastAPI(lifespan=lifespan)

    @app.websocket("/ws")
    async def stay(socket: WebSocket) -> None:
        await socket.accept()
        sockets.add(socket)
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            sockets.discard(socket)

    return app


if __name__ == "__main__":
    uvicorn.run(
        an_app(sys.argv[2]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        log_level="error",
        ws_per_message_deflate=False,
    )
