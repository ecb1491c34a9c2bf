"""F17 to F24, F39: kills at random, parts that stand still, servers killed and wiped, rolling restarts."""

import asyncio
import shutil
from collections.abc import Sequence
from functools import partial

from redis.asyncio import Redis

from tests.faults.case import Case, Scene
from tests.faults.rig import SERVICES

# Longer than a command may stay unacknowledged (10 s), than a lease, and than two FIX heartbeats.
FREEZE_SECONDS = 14.0
BROKEN_SECONDS = 4.0
EARLY, MIDDLE = 0.15, 0.4
KILLABLE = (*SERVICES, "nats", "redis", "orders_mongo", "exchange_sim")


def cases() -> list[Case]:
    """Return the cases."""
    return [
        Case(name="F17", words="any part is killed, every 2 to 5 s", damage=_kill_at_random, orders=240, pace=8),
        *(
            Case(
                name=f"F18-{part}",
                words=f"{part} stands still for {FREEZE_SECONDS:g} s",
                damage=partial(_freeze, part=part),
            )
            for part in ("exchange_gw", "order_svc")
        ),
        Case(name="F19-kill", words="the broker is killed", damage=partial(_kill, part="nats")),
        Case(name="F19-freeze", words="the broker stands still", damage=partial(_freeze, part="nats", seconds=6)),
        Case(name="F19-wipe", words="the broker loses its whole store", damage=_wipe_broker),
        Case(
            name="F21",
            words="the database is killed three times amid commits",
            damage=_kill_database,
            orders=90,
            pace=3,
        ),
        Case(name="F24-kill", words="Redis is killed", damage=partial(_kill, part="redis", seconds=3)),
        Case(name="F24-freeze", words="Redis stands still", damage=partial(_freeze, part="redis", seconds=6)),
        Case(name="F24-flush", words="Redis forgets everything, again and again", damage=_flush_redis),
        Case(name="F39", words="every service is restarted in turn", damage=_restart_all, orders=120, pace=4),
    ]


async def _kill(scene: Scene, *, part: str, seconds: float = 1.0) -> None:
    await scene.load.until(EARLY)
    scene.note(f"{part} is killed")
    async with scene.rig.system.down(part):
        await asyncio.sleep(seconds)


async def _freeze(scene: Scene, *, part: str, seconds: float = FREEZE_SECONDS) -> None:
    await scene.load.until(EARLY)
    scene.note(f"{part} stands still")
    scene.rig.system.freeze(part)
    try:
        await asyncio.sleep(seconds)
    finally:
        scene.rig.system.thaw(part)
    scene.note(f"{part} goes on")


async def _kill_at_random(scene: Scene) -> None:
    while scene.load.share < 0.95:
        await asyncio.sleep(scene.chance.uniform(2, 5))
        part = scene.chance.choice(KILLABLE)
        scene.note(f"{part} is killed")
        await scene.rig.system.kill(part)


async def _wipe_broker(scene: Scene) -> None:
    await scene.load.until(MIDDLE)
    async with scene.rig.system.down("nats"):
        scene.note("the broker's store is wiped")
        shutil.rmtree(scene.rig.system.folder("nats"), ignore_errors=True)


async def _kill_database(scene: Scene) -> None:
    for share in (0.1, 0.4, 0.7):
        await scene.load.until(share)
        await asyncio.sleep(scene.chance.uniform(0.0, 0.3))
        scene.note("orders_mongo is killed")
        await scene.rig.system.kill("orders_mongo")
        await scene.rig.system.until_ready("orders_mongo")


async def _flush_redis(scene: Scene) -> None:
    client = Redis.from_url(scene.rig.system.settings.redis_address)
    try:
        while scene.load.share < 1.0:
            await client.flushall()
            await asyncio.sleep(scene.chance.uniform(0.02, 0.2))
    finally:
        await client.aclose()


async def _restart_all(scene: Scene) -> None:
    parts: Sequence[str] = ("price_svc", *SERVICES)
    for number, part in enumerate(parts):
        await scene.load.until(0.1 + 0.2 * number)
        scene.note(f"{part} is restarted")
        await scene.rig.system.restart(part)
        await scene.rig.system.until_ready(part)
