"""The flaw: the gateway sends a submission each time that its command comes, whatever the journal says."""

from typing import Any

from exchange_gw import taking
from exchange_gw.command import Asks, Command
from exchange_gw.journal import Deed, Plan, Row, Standpoint, deed_for, plan_for
from tests.faults.mutants import put


def apply() -> None:
    """Put it in."""

    def plan(self: taking.Taking, command: Command, here: Standpoint) -> Plan | None:
        talk = self._talk
        return plan_for(command, here, allowed=talk.trading.permission.allows(command), sent=False)

    def deed(command: Command, row: Row | None, here: Standpoint, **more: Any) -> Deed:
        return Deed.SEND if command.asks is Asks.SUBMIT else deed_for(command, row, here, **more)

    put(taking.Taking, "_plan", plan)
    put(taking, "deed_for", deed)
