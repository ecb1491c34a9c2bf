"""The past of a new state folder: loaded once by the real programs, and begun again where it was broken off."""

import asyncio
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from infra.local import past
from infra.local.part import Part, Port
from infra.local.state import State
from runtime.databases import open_mongo
from tests.eventually import eventually

HEAD = "symbol,name,exchange,currency,tick_size,lot_size,max_quantity,start_price,popularity\n"


async def no_check() -> None:
    return


def parts_of(folder: Path, mongo_url: str, database: str) -> list[Part]:
    (folder / "instruments.csv").write_text(HEAD + "AAPL,Apple Inc.,XNAS,USD,0.01,1,100000,210.00,20\n")
    environments = {
        "exchange_sim": {
            "EXCHANGE_SIM_INSTRUMENTS_PATH": str(folder / "instruments.csv"),
            "EXCHANGE_SIM_LEDGER_PATH": str(folder / "ledger.jsonl"),
        },
        "price_svc": {"PRICE_SVC_MONGO_URL": mongo_url, "PRICE_SVC_MONGO_DATABASE": database},
    }
    return [
        Part(
            name=name,
            command=(name,),
            ready=no_check,
            ports=(Port(number=1, setting="NONE"),),
            environment={**os.environ, **environment},
        )
        for name, environment in environments.items()
    ]


async def test_the_past_is_loaded_once(tmp_path: Path, mongo_url: str, database_name: str) -> None:
    state, parts = State(tmp_path), parts_of(tmp_path, mongo_url, database_name)
    assert past.is_wanted(parts, state)

    said = await past.load_past(parts, state)

    assert said.startswith("charts are full: 4,")
    assert not past.is_wanted(parts, state)
    async with open_mongo(mongo_url, database=database_name, driver="motor") as database:
        found = await database.collection("past_bars").distinct("interval")
    assert sorted(found) == [60, 300, 3_600, 86_400]


async def test_what_goes_wrong_is_said_and_the_next_start_tries_again(tmp_path: Path, mongo_url: str) -> None:
    state = State(tmp_path)
    simulator, service = parts_of(tmp_path, mongo_url, "unused")
    broken = replace(service, environment={**service.environment, "PRICE_SVC_NONSENSE": "1"})

    said = await past.load_past([simulator, broken], state)

    assert "PRICE_SVC_NONSENSE: no such setting" in said
    assert past.is_wanted([simulator, broken], state)


async def test_a_load_that_is_broken_off_leaves_no_process(tmp_path: Path, mongo_url: str, database_name: str) -> None:
    state, parts = State(tmp_path), parts_of(tmp_path, mongo_url, database_name)
    loading = asyncio.create_task(past.load_past(parts, state))

    async def started() -> list[str]:
        return processes_of(tmp_path)

    await eventually(started)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading

    assert processes_of(tmp_path) == []
    assert past.is_wanted(parts, state)


def test_without_a_simulator_there_is_no_past(tmp_path: Path) -> None:
    assert not past.is_wanted(parts_of(tmp_path, "mongodb://m", "d")[1:], State(tmp_path))


def processes_of(folder: Path) -> list[str]:
    """Return the processes that have the folder in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if str(folder).encode() in entry.read_bytes():
                found.append(entry.parent.name)
    return found
