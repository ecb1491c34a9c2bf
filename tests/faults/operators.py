"""What operators do under load: sending is halted and resumed, and no command is lost."""

import asyncio

import grpc

from gen.trading.v1 import exchange_pb2 as pb
from gen.trading.v1 import exchange_pb2_grpc
from runtime.auth import ADMIN, READ
from tests.faults.case import Case, Scene

HALT_SECONDS = 4.0
CALL_SECONDS = 5.0


def cases() -> list[Case]:
    """Return the cases."""
    return [Case(name="halt", words="sending is halted, reduced and resumed", damage=_halt)]


async def _halt(scene: Scene) -> None:
    token = scene.rig.system.token("operator", scopes=(READ, ADMIN))
    async with grpc.aio.insecure_channel(scene.rig.system.where.exchange_gw) as channel:
        exchange = exchange_pb2_grpc.ExchangeServiceStub(channel)
        for share, state in (
            (0.2, pb.TradingState.HALTED),
            (0.2, pb.TradingState.REDUCING),
            (0.2, pb.TradingState.ACTIVE),
        ):
            await scene.load.until(share)
            request = pb.SetTradingStateRequest(state=state, reason="a fault test")
            await exchange.SetTradingState(
                request, metadata=[("authorization", f"Bearer {token}")], timeout=CALL_SECONDS
            )
            scene.acts.append("SET_TRADING_STATE")
            scene.note(f"trading is {pb.TradingState.State.Name(state)}")
            if state != pb.TradingState.ACTIVE:
                await asyncio.sleep(HALT_SECONDS)
