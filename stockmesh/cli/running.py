"""Runs one command's conversation with the server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stockmesh.cli.local import token_of, url_of
from stockmesh.client import Client

T = TypeVar("T")


def converse(
    work: Callable[[Client], Awaitable[T]], *, url: str | None, token: str | None, account: str | None = None
) -> T:
    """Connect, do the work, and return what it returns. Raises StockmeshError."""

    async def run() -> T:
        async with Client(url_of(url), lambda: token_of(token, account=account)) as client:
            return await work(client)

    return asyncio.run(run())
