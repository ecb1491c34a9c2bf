"""The short subset of `make faults`: one system, a fixed seed, a fault at each kind of place; every promise is kept."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.case import run
from tests.faults.catalogue import CASES
from tests.faults.rig import Rig, open_rig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SEED = 7
# Orders of each case; a chain of crashes needs some for each.
SUBSET = {"K3+K6+K14": 48, "K9+K10+K12": 48, "F19-wipe": 24, "F24-flush": 24}


@pytest.fixture(scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """One running system for all of them."""
    async with open_rig(tmp_path_factory.mktemp("faults"), seed=SEED) as opened:
        yield opened


@pytest.mark.parametrize("name", SUBSET)
async def test_every_promise_is_kept(rig: Rig, tmp_path: Path, name: str) -> None:
    case = replace(CASES[name], orders=SUBSET[name])

    result = await run(rig, case, seed=SEED, name=f"s{list(SUBSET).index(name)}", folder=tmp_path)

    assert result.violations == [], "\n".join(map(str, result.violations))
    assert result.orders == SUBSET[name]
