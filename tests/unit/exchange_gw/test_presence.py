"""A gateway that is refused waits for one that is there, and not for one that is not."""

from exchange_gw.exchange import Standing
from exchange_gw.presence import ABSENT_SECONDS, SIGN_SECONDS
from tests.unit.exchange_gw.factories import World


async def refused(world: World, beats: int, other: World | None = None) -> None:
    """Let a gateway be refused for some beats, with another one that leaves signs or not."""
    world.session.standing = Standing.REFUSED
    for _ in range(beats):
        world.clock.seconds += SIGN_SECONDS
        if other is not None:
            await other.lane.presence.beat()
        await world.lane.presence.beat()


async def test_while_another_gateway_leaves_signs_the_commands_are_its_own() -> None:
    world = World()
    other = World(world.journal)
    other.session.standing = Standing.LOGGED_ON

    await refused(world, 20, other)

    assert not world.lane.is_wanted


async def test_a_venue_that_lets_nobody_in_does_not_keep_cancels_from_being_taken() -> None:
    world = World()
    await refused(world, 1)
    assert not world.lane.is_wanted

    await refused(world, int(ABSENT_SECONDS // SIGN_SECONDS))

    assert world.lane.is_wanted


async def test_one_that_died_is_no_longer_waited_for() -> None:
    world = World()
    other = World(world.journal)
    other.session.standing = Standing.LOGGED_ON
    await refused(world, 3, other)

    await refused(world, int(ABSENT_SECONDS // SIGN_SECONDS))

    assert world.lane.is_wanted


async def test_without_a_database_the_gateway_that_is_away_stays_wanted() -> None:
    world = World()
    world.journal.away = True
    world.session.standing = Standing.AWAY
    await world.lane.presence.beat()
    assert world.lane.is_wanted
