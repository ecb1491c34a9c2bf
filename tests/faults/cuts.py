"""F25: links between any two parts are cut, half-cut, slow and sliced, while both parts live on."""

import asyncio
from functools import partial

from tests.faults import proxy
from tests.faults.case import Case, Scene
from tests.faults.proxy import Conditions
from tests.faults.rig import LINKS

CUT_SECONDS = 4.0
# A black hole is noticed by time-outs alone.
HOLE_SECONDS = 8.0
WAYS: dict[str, tuple[Conditions, float]] = {
    "cut": (proxy.REFUSING, CUT_SECONDS),
    "half": (proxy.HALF_CUT, HOLE_SECONDS),
    "hole": (proxy.BLACK_HOLE, HOLE_SECONDS),
}


def cases() -> list[Case]:
    """Return a case for each link and way, and two in which every link is poor."""
    return [
        *(
            Case(
                name=f"F25-{way}-{link}",
                words=f"{link}: {way} for {seconds:g} s",
                damage=partial(_cut, link=link, way=way),
            )
            for link in LINKS
            for way, (_, seconds) in WAYS.items()
        ),
        Case(
            name="F25-slow",
            words="every link takes 0.3 s each way",
            damage=partial(_poor, conditions=proxy.SLOW),
            orders=36,
        ),
        Case(
            name="F25-sliced",
            words="every link brings 7 bytes at a time",
            damage=partial(_poor, conditions=proxy.SLICED),
        ),
        Case(name="F25-flicker", words="every link is cut now and then", damage=_flicker, orders=120, pace=4),
    ]


async def _cut(scene: Scene, *, link: str, way: str) -> None:
    await scene.load.until(0.15)
    conditions, seconds = WAYS[way]
    scene.note(f"{link}: {way}")
    one = scene.rig.links[link]
    one.become(conditions)
    if conditions.refuse:
        one.reset()
    await asyncio.sleep(seconds)
    one.heal()
    scene.note(f"{link} is healed")


async def _poor(scene: Scene, *, conditions: Conditions) -> None:
    for link in scene.rig.links.values():
        link.become(conditions)
    await scene.load.until(1.0)


async def _flicker(scene: Scene) -> None:
    while scene.load.share < 1.0:
        await asyncio.sleep(scene.chance.uniform(0.2, 1.5))
        name = scene.chance.choice(list(LINKS))
        scene.note(f"{name} is cut")
        scene.rig.links[name].reset()
