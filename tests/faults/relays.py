"""F22, F23: the relay loses its place in the outbox, or there are two of it; and two gateways for one session."""

import asyncio
from functools import partial

from tests.faults.case import Case, Scene

OUTBOX, TOKENS = "outbox", "relay_tokens"
# Longer than a lease lives.
FREEZE_SECONDS = 7.0


def cases() -> list[Case]:
    """Return the cases."""
    return [
        Case(name="F22-wipe", words="the resume token is gone", damage=partial(_lose_token, corrupt=False)),
        Case(name="F22-corrupt", words="the resume token is nonsense", damage=partial(_lose_token, corrupt=True)),
        Case(name="F22-invalidate", words="the outbox was dropped and made anew", prepare=_drop_outbox),
        Case(
            name="F23-order_svc",
            words="two order services, and the one with the lease stands still or dies",
            damage=partial(_quarrel, part="order_svc"),
            twins=("order_svc",),
            orders=120,
            pace=5,
        ),
        Case(
            name="F23-exchange_gw",
            words="two gateways for one session, one of them stands still or dies",
            damage=partial(_quarrel, part="exchange_gw"),
            twins=("exchange_gw",),
            orders=120,
            pace=5,
        ),
    ]


async def _lose_token(scene: Scene, *, corrupt: bool) -> None:
    await scene.load.until(0.3)
    tokens = scene.rig.orders_database[TOKENS]
    async with scene.rig.system.down("order_svc"):
        if not await tokens.count_documents({}):
            scene.problems.append("no resume token was ever saved")
        if corrupt:
            await tokens.update_many({}, {"$set": {"token": {"_data": "826-nonsense"}}})
        else:
            await tokens.delete_many({})
    scene.note("order_svc is back without its token")


async def _drop_outbox(scene: Scene) -> None:
    """Drop the outbox while it is empty: nothing is lost, but the change stream that the relay follows is over."""
    outbox = scene.rig.orders_database[OUTBOX]
    async with asyncio.timeout(30):
        while await outbox.count_documents({}):  # noqa: ASYNC110 - the database tells a number
            await asyncio.sleep(0.2)
    await outbox.drop()
    await scene.rig.orders_database.create_collection(OUTBOX)
    scene.note("the outbox was dropped")


async def _quarrel(scene: Scene, *, part: str) -> None:
    system, both = scene.rig.system, [part, f"{part}_2"]
    scene.chance.shuffle(both)
    for share, one in zip((0.1, 0.4), both, strict=True):
        await scene.load.until(share)
        scene.note(f"{one} stands still")
        system.freeze(one)
        await asyncio.sleep(FREEZE_SECONDS)
        system.thaw(one)
        scene.note(f"{one} goes on")
    await scene.load.until(0.7)
    for one in both:
        scene.note(f"{one} is killed")
        await system.kill(one)
        await asyncio.sleep(1.0)
