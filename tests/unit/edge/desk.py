"""A clock that a test turns, and clients whose frames it can read."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from edge.audience import Seat, Wish
from edge.audiences import Audiences
from edge.beats import Due
from edge.topic import Mode, Topic
from gen.trading.v1.price_pb2 import Quote


def a_quote(symbol: str, seq: int, *, epoch: int = 1, state: "Quote.State.ValueType" = Quote.LIVE) -> Quote:
    return Quote(symbol=symbol, price=f"{seq}.00", epoch=epoch, seq=seq, state=state)


class Clock:
    """Time that stands still until it is turned."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self._soon: list[Due] = []
        self._at: list[tuple[float, Due]] = []

    def now(self) -> float:
        return self.time

    def soon(self, due: Due) -> None:
        self._soon.append(due)

    def at(self, when: float, due: Due) -> None:
        self._at.append((when, due))

    def run(self) -> None:
        """Call whoever is due now."""
        while True:
            due, self._soon = self._soon, []
            due += [one for when, one in self._at if when <= self.time]
            self._at = [(when, one) for when, one in self._at if when > self.time]
            if not due:
                return
            for one in due:
                one.flush(self.time)


class Reader:
    """A client; it takes frames while it is ready."""

    def __init__(self) -> None:
        self.is_ready = True
        self.frames: list[bytes] = []
        self.told: list[tuple[str, bytes]] = []
        self.write: Callable[[bytes], None] = self.frames.append

    def put_newest(self, kind: str, frame: bytes) -> None:
        self.told.append((kind, frame))

    def updates(self) -> list[dict[str, Any]]:
        """Return the quotes of each price frame since the last call, and check that they are frames of prices."""
        frames = [_text(frame) for part in self.frames for frame in _split(part)]
        self.frames.clear()
        assert all(frame["method"] == "prices.update" for frame in frames)
        return [{quote["symbol"]: int(quote["seq"]) for quote in frame["params"]["quotes"]} for frame in frames]


class Desk:
    """Symbols, and audiences for them."""

    def __init__(self, *symbols: str) -> None:
        self.clock = Clock()
        self.audiences = Audiences(self.clock)
        self.topics = {symbol: Topic(symbol) for symbol in symbols}
        for symbol in symbols:
            self.topics[symbol].hear(a_quote(symbol, 1))

    def tick(self, seq: int, *symbols: str) -> None:
        """Let symbols have a new price."""
        for symbol in symbols or self.topics:
            self.topics[symbol].hear(a_quote(symbol, seq))

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass, and whoever is due then send."""
        self.clock.time += seconds
        self.clock.run()

    def sit(
        self,
        reader: Reader,
        symbols: Iterable[str] = (),
        *,
        hz: float = 10,
        mode: Mode = Mode.QUOTE,
        told: dict[Topic, int] | None = None,
    ) -> Seat:
        """Seat a client that has just got a snapshot."""
        topics = [self.topics[symbol] for symbol in symbols or self.topics]
        return self.audiences.join(reader, Wish(mode, 1.0 / hz), told or {topic: topic.changes for topic in topics})


def _split(frames: bytes) -> Iterable[bytes]:
    while frames:
        length, head = frames[1], 2
        if length == 126:
            length, head = int.from_bytes(frames[2:4], "big"), 4
        elif length == 127:
            length, head = int.from_bytes(frames[2:10], "big"), 10
        yield frames[head : head + length]
        frames = frames[head + length :]


def _text(frame: bytes) -> Any:
    return json.loads(frame)
