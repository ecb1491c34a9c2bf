"""The fault script: what goes wrong, how often and for whom. Pure: it decides from the script and from what passes."""

from collections import Counter
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

from infra.exchange_sim.facts import Side

SCALE = 2**64


class Kind(StrEnum):
    """What passes: a member's request, or a report to it."""

    NEW = "new"
    CANCEL = "cancel"
    REPLACE = "replace"
    ACCEPTED = "accepted"
    FILL = "fill"
    CANCELED = "canceled"
    REPLACED = "replaced"
    REJECTED = "rejected"
    EXPIRED = "expired"
    REFUSED = "refused"
    STATUS = "status"


REQUESTS = frozenset({Kind.NEW, Kind.CANCEL, Kind.REPLACE})
EXECUTIONS = frozenset({Kind.ACCEPTED, Kind.FILL, Kind.CANCELED, Kind.REPLACED, Kind.REJECTED, Kind.EXPIRED})
REPORTS = EXECUTIONS | {Kind.REFUSED}


class Fault(StrEnum):
    """What a rule does."""

    DELAY = "delay"
    DROP_ACK = "drop_ack"
    DROP_REPORT = "drop_report"
    FILL_BEFORE_ACK = "fill_before_ack"
    ACCEPT_THEN_CUT = "accept_then_cut"
    CUT = "cut"
    DUPLICATE = "duplicate"
    SHUFFLE = "shuffle"
    REJECT = "reject"
    HALT = "halt"
    SILENT = "silent"
    UNKNOWN = "unknown"


# What a fault strikes unless its rule says otherwise, and what a rule may say.
_STRIKES: dict[Fault, tuple[frozenset[Kind], frozenset[Kind]]] = {
    Fault.DELAY: (REPORTS, REPORTS | {Kind.STATUS}),
    Fault.DROP_ACK: (frozenset({Kind.ACCEPTED}), frozenset({Kind.ACCEPTED})),
    Fault.DROP_REPORT: (EXECUTIONS, REPORTS),
    Fault.FILL_BEFORE_ACK: (frozenset({Kind.ACCEPTED}), frozenset({Kind.ACCEPTED})),
    Fault.ACCEPT_THEN_CUT: (frozenset({Kind.ACCEPTED}), REPORTS),
    Fault.CUT: (frozenset({Kind.NEW}), REQUESTS),
    Fault.DUPLICATE: (REPORTS, REPORTS),
    Fault.SHUFFLE: (REPORTS, REPORTS),
    Fault.REJECT: (frozenset({Kind.NEW}), REQUESTS),
    Fault.HALT: (frozenset(), frozenset()),
    Fault.SILENT: (frozenset({Kind.NEW}), REQUESTS),
    Fault.UNKNOWN: (frozenset({Kind.STATUS}), frozenset({Kind.STATUS})),
}
_NEEDS_MS = frozenset({Fault.DELAY, Fault.SHUFFLE, Fault.SILENT})
_COUNT = Meta(ge=0)


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong.

    `share` is the part of what matches that is struck, `skip` how many matches are spared first, `most` how many are struck in
    all, `each` how many of one key. `on` narrows what is struck; `symbol`, `side` and `account` whose. `ms` is how long.
    """

    fault: Fault
    share: Annotated[float, Meta(ge=0, le=1)] = 1.0
    ms: Annotated[int, Meta(ge=0, le=3_600_000)] = 0
    most: Annotated[int, _COUNT] | None = None
    each: Annotated[int, _COUNT] | None = None
    skip: Annotated[int, _COUNT] = 0
    on: tuple[Kind, ...] = ()
    symbol: str = ""
    side: Side | None = None
    account: str = ""

    def __post_init__(self) -> None:
        _, allowed = _STRIKES[self.fault]
        if odd := [kind.value for kind in self.on if kind not in allowed]:
            raise ValueError(f"{self.fault} cannot strike {', '.join(odd)}")
        if self.fault in _NEEDS_MS and not self.ms:
            raise ValueError(f"{self.fault} needs ms")
        if self.fault is Fault.HALT and not self.symbol:
            raise ValueError("halt needs a symbol")

    @property
    def kinds(self) -> frozenset[Kind]:
        """What passes and may be struck."""
        return frozenset(self.on) or _STRIKES[self.fault][0]

    @property
    def most_of_one(self) -> int | None:
        """How often one order is struck at most. To be unknown once is the fault; for ever, it would be another exchange."""
        return 1 if self.each is None and self.fault is Fault.UNKNOWN else self.each

    def matches(self, event: "Event") -> bool:
        """Return whether something that passes is of the rule's kind, and of whom it is about."""
        return (
            event.kind in self.kinds
            and (not self.symbol or event.symbol == self.symbol)
            and (self.side is None or event.side is self.side)
            and (not self.account or event.account == self.account)
        )


class Script(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. Without a word about `duplicate_detection` the exchange's setting holds."""

    seed: int = 1
    rules: tuple[Rule, ...] = ()
    duplicate_detection: bool | None = None


class Event(NamedTuple):
    """Something that passes, and whom it is about; what is not known of it is empty."""

    kind: Kind
    key: str
    symbol: str = ""
    side: Side | None = None
    account: str = ""


class Strike(NamedTuple):
    """A rule that strikes: the rule's place in the script, from 0, and how often it has struck now."""

    number: int
    rule: Rule
    times: int


class Faults:
    """Decides for one script. The first rule that strikes holds; those after it are not asked.

    Chance is a hash of seed, rule, key and how often the rule has met the key: what others do meanwhile does not change whom
    it strikes, so a run can be repeated although its messages never interleave the same way again.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self._rules = [_Counted(script.seed, number, rule) for number, rule in enumerate(script.rules)]

    def strike(self, event: Event) -> Strike | None:
        """Return the rule that strikes what passes, and count it."""
        return next((strike for rule in self._rules if (strike := rule.strike(event))), None)

    def halts(self, elapsed_ms: float) -> dict[str, Strike]:
        """Return the symbols that are halted so long after the script began, each with its rule."""
        rules = (one for one in self._rules if one.rule.fault is Fault.HALT)
        return {
            one.rule.symbol: Strike(one.number, one.rule, 1)
            for one in rules
            if not one.rule.ms or elapsed_ms < one.rule.ms
        }


class _Counted:
    """A rule and what it has done so far."""

    def __init__(self, seed: int, number: int, rule: Rule) -> None:
        self.number, self.rule = number, rule
        self._seed = seed
        self._met = self._struck = 0
        self._met_of: Counter[str] = Counter()
        self._struck_of: Counter[str] = Counter()

    def strike(self, event: Event) -> Strike | None:
        rule = self.rule
        if not rule.matches(event):
            return None
        self._met += 1
        self._met_of[event.key] += 1
        if self._met <= rule.skip or self._is_spent(event.key) or self._chance(event.key) >= rule.share:
            return None
        self._struck += 1
        self._struck_of[event.key] += 1
        return Strike(self.number, rule, self._struck)

    def _is_spent(self, key: str) -> bool:
        rule = self.rule
        return (rule.most is not None and self._struck >= rule.most) or (
            rule.most_of_one is not None and self._struck_of[key] >= rule.most_of_one
        )

    def _chance(self, key: str) -> float:
        text = f"{self._seed}:{self.number}:{key}:{self._met_of[key]}"
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) / SCALE


def read_script(text: bytes) -> Script:
    """Read a script. Raises ValueError that says what is wrong with it."""
    try:
        return msgspec.json.decode(text, type=Script)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
