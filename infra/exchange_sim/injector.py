"""Makes happen what the fault script says: reports held back, dropped, repeated or reordered, lines cut, silence."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from infra.exchange_sim.faults import Event, Fault, Faults, Rule, Strike
from infra.exchange_sim.order import Order
from infra.exchange_sim.passing import Request, event_of_report, event_of_request
from infra.exchange_sim.reports import Execution, Report, Status

# An acknowledgment that waits for a fill waits so long when the rule does not say.
ACK_SECONDS = 1.0
# More is not held back: a fault script must not eat the machine.
MOST_HELD = 200_000


class Struck(NamedTuple):
    """A fault that has struck, and what."""

    strike: Strike
    event: Event
    session: str = ""
    order_id: str = ""
    exec_id: str = ""


class _Held(NamedTuple):
    """A report that waits: until when, its place among those of the same time, and whether a fill sets it free earlier."""

    due: float
    rank: float
    number: int
    report: Report
    is_ack: bool


class Injector:
    """Stands between the desk and the lines. Without a script, and with nothing held back, reports just pass.

    `deliver` sends a report, `cut` ends a session's line, `note` writes down what struck; `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        *,
        deliver: Callable[[Report], None],
        cut: Callable[[str], None],
        note: Callable[[Struck], None],
        clock: Callable[[], float],
    ) -> None:
        self._deliver, self._cut, self._note, self._clock = deliver, cut, note, clock
        self._faults: Faults | None = None
        self._disorder = Random(0)  # noqa: S311 - disorder, not secrets
        self._numbers = count()
        self._held: list[_Held] = []
        self._acks: dict[str, Report] = {}
        self._shuffling: dict[str, float] = {}
        self._silent: dict[str, float] = {}
        self._unsaid: dict[str, list[Report]] = {}
        self._sooner = asyncio.Event()
        self._acts: dict[Fault, Callable[[Report, Rule], None]] = {
            Fault.DELAY: self._delay,
            Fault.SHUFFLE: self._shuffle,
            Fault.DUPLICATE: self._duplicate,
            Fault.FILL_BEFORE_ACK: self._hold_ack,
            Fault.ACCEPT_THEN_CUT: self._cut_line,
            Fault.UNKNOWN: self._deny,
            Fault.DROP_ACK: self._drop,
            Fault.DROP_REPORT: self._drop,
        }

    def use(self, faults: Faults | None) -> None:
        """Follow another script from now on, or none. What is held back already still comes when it is due."""
        self._faults = faults
        self._disorder = Random(faults.script.seed if faults else 0)  # noqa: S311 - see above

    @property
    def is_armed(self) -> bool:
        """Whether there is a script."""
        return self._faults is not None

    def meet(self, request: Request, order: Order | None) -> Fault | None:
        """Return what strikes a request; `order` is the one that it is about, if there is one. A silence begins with it."""
        if self._faults is None:
            return None
        event = event_of_request(request, order)
        strike = self._faults.strike(event)
        if strike is None:
            return None
        self._note(Struck(strike, event, request.session, order.order_id if order else ""))
        if strike.rule.fault is Fault.SILENT:
            until = self._clock() + strike.rule.ms / 1000
            self._silent[request.session] = max(until, self._silent.get(request.session, until))
            self._sooner.set()
        return strike.rule.fault

    def take(self, report: Report) -> None:
        """Send a report, or do to it what the script says."""
        if report.session in self._silent:
            unsaid = self._unsaid.setdefault(report.session, [])
            unsaid.append(report)
            if len(unsaid) >= MOST_HELD:
                self._end_silence(report.session)
            return
        struck = self._struck(report) if self._faults is not None else None
        if struck is None:
            self._pass_on(report)
        else:
            self._note(struck)
            rule = struck.strike.rule
            self._acts[rule.fault](report, rule)

    async def run(self) -> None:
        """Send what is held back when it is due, for ever."""
        while True:
            self._sooner.clear()
            due = self._release(self._clock())
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - self._clock())):
                    await self._sooner.wait()
            except TimeoutError:
                continue

    def _struck(self, report: Report) -> Struck | None:
        event = event_of_report(report)
        if event is None or self._faults is None:
            return None
        strike = self._faults.strike(event)
        if strike is None:
            return None
        if isinstance(report, Execution):
            return Struck(strike, event, report.session, report.fact.order_id, report.fact.exec_id)
        return Struck(strike, event, report.session)

    def _delay(self, report: Report, rule: Rule) -> None:
        self._hold(report, self._clock() + rule.ms / 1000)

    def _shuffle(self, report: Report, rule: Rule) -> None:
        now, due = self._clock(), self._shuffling.get(report.session, 0.0)
        if due <= now:
            due = self._shuffling[report.session] = now + rule.ms / 1000
        self._hold(report, due, rank=self._disorder.random())

    def _duplicate(self, report: Report, rule: Rule) -> None:
        self._pass_on(report)
        if rule.ms:
            self._delay(report, rule)
        else:
            self._pass_on(report)

    def _hold_ack(self, report: Report, rule: Rule) -> None:
        if isinstance(report, Execution):
            self._acks[report.fact.order_id] = report
            self._hold(report, self._clock() + (rule.ms / 1000 or ACK_SECONDS), is_ack=True)

    def _cut_line(self, report: Report, rule: Rule) -> None:
        self._cut(report.session)

    def _deny(self, report: Report, rule: Rule) -> None:
        self._pass_on(replace(report, order=None) if isinstance(report, Status) else report)

    def _drop(self, report: Report, rule: Rule) -> None:
        return None

    def _pass_on(self, report: Report) -> None:
        self._deliver(report)
        if self._acks and isinstance(report, Execution):
            ack = self._acks.pop(report.fact.order_id, None)
            if ack is not None and ack is not report:
                self._deliver(ack)

    def _hold(self, report: Report, due: float, *, rank: float = 0.0, is_ack: bool = False) -> None:
        if len(self._held) >= MOST_HELD:
            self._pass_on(report)
            return
        held = _Held(due, rank, next(self._numbers), report, is_ack)
        heapq.heappush(self._held, held)
        if self._held[0] is held:
            self._sooner.set()

    def _release(self, now: float) -> float | None:
        """Send what is due; return when something is due next."""
        for session in [session for session, until in self._silent.items() if until <= now]:
            self._end_silence(session)
        while self._held and self._held[0].due <= now:
            held = heapq.heappop(self._held)
            if not held.is_ack or _is_waiting(self._acks, held.report):
                self._pass_on(held.report)
        times = [*self._silent.values(), *(held.due for held in self._held[:1])]
        return min(times, default=None)

    def _end_silence(self, session: str) -> None:
        del self._silent[session]
        for report in self._unsaid.pop(session, ()):
            self._pass_on(report)


def _is_waiting(acks: dict[str, Report], report: Report) -> bool:
    return isinstance(report, Execution) and acks.get(report.fact.order_id) is report
