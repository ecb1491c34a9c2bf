"""SIGKILL at each point of an order's way, once and twice in a row."""

import asyncio
from functools import partial

from tests.faults.case import Case, Scene

POINTS = {
    "K0": ("edge", "the edge has an order frame"),
    "K1": ("order_svc", "Redis was looked into"),
    "K2": ("order_svc", "inside the transaction"),
    "K3": ("order_svc", "committed, not answered"),
    "K4": ("edge", "answered by order_svc, not by the edge"),
    "K5": ("order_svc", "the relay has read an outbox event"),
    "K6": ("order_svc", "published, nothing noted"),
    "K7": ("order_svc", "receipt there, not settled, token not saved"),
    "K8": ("exchange_gw", "a command was taken"),
    "K9": ("exchange_gw", "intent written, nothing sent"),
    "K10": ("exchange_gw", "sent, no answer"),
    "K11": ("exchange_gw", "answer heard, not told"),
    "K12": ("exchange_gw", "told, not acknowledged"),
    "K13": ("order_svc", "a report was taken"),
    "K14": ("order_svc", "fold committed, report not acknowledged"),
    "K15": ("edge", "about to push an update"),
}
CRASH_SECONDS = 60.0
LOOK_SECONDS = 0.02


# One crash after the other in one load: all of a part's points, and the few that the short subset takes.
CHAINS = (
    ("K1", "K2", "K3", "K5", "K6", "K7", "K13", "K14"),
    ("K8", "K9", "K10", "K11", "K12"),
    ("K3", "K6", "K14"),
    ("K9", "K10", "K12"),
)


def cases() -> list[Case]:
    """Return a case for each point, one where the part dies there twice, and chains of crashes at several points of a part."""
    return [
        *(_case(point, (point,)) for point in POINTS),
        *(_case(f"{point}x2", (point, point)) for point in POINTS),
        *(_case("+".join(chain), chain, orders=24 * len(chain)) for chain in CHAINS),
    ]


def _case(name: str, points: tuple[str, ...], orders: int = 72) -> Case:
    part, words = POINTS[points[0]]
    last = "" if len(points) == 1 else f", then again: {POINTS[points[-1]][1]}"
    return Case(
        name=name,
        words=f"{part} dies: {words}{last}",
        orders=orders,
        prepare=partial(_arm, part=part, point=points[0]),
        damage=partial(_until_crashed, part=part, points=points),
    )


def _armed(scene: Scene, point: str) -> str:
    # Points that many orders share are passed less often.
    return f"{point}:{scene.chance.randint(1, 4)}"


async def _arm(scene: Scene, *, part: str, point: str) -> None:
    await scene.rig.arm(part, _armed(scene, point))
    scene.ends = scene.rig.system.ends(part)
    await scene.rig.system.until_ready(part)
    scene.note(f"{part} is armed with {point}")


async def _until_crashed(scene: Scene, *, part: str, points: tuple[str, ...]) -> None:
    system = scene.rig.system
    for died, point in enumerate(points, start=1):
        try:
            async with asyncio.timeout(CRASH_SECONDS):
                # Between a death and the next start there is a pause in which the next start can be made another one.
                while system.ends(part) < scene.ends + died:  # noqa: ASYNC110 - the supervisor tells a number, not an event
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            scene.problems.append(f"{part} did not die at {point} within {CRASH_SECONDS:g} s")
            break
        scene.note(f"{part} has died at {point}")
        if died < len(points):
            system.set_environment(part, {"CRASH_AT": _armed(scene, points[died])})
    scene.rig.disarm(part)
