"""What clients saw: one event a line. A time-out is never a failure: only an explicit refusal is."""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Kind(StrEnum):
    """How an event stands to its call."""

    INVOKE = "invoke"
    OK = "ok"
    FAIL = "fail"
    """The server said that it did nothing."""
    INFO = "info"
    """It may have happened, or may still."""
    TOLD = "told"
    """Nobody asked: a pushed frame, or a step of the case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line. `number` orders all events of a run, `call` ties an end to its INVOKE (whose number it is); `at` is seconds."""

    number: int
    at: float
    client: str
    kind: Kind
    what: str
    account: str = ""
    key: str = ""
    call: int = 0
    value: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        value = {name: text for name, text in self.value.items() if text not in ("", 0, None)}
        return f"{self.number:>5} {self.at:8.3f} {self.client:<10} {self.kind:<6} {self.what:<8} {self.key} {value}"


class History:
    """Events in the order in which they happened to the recorder, written down as they come."""

    def __init__(self, path: Path | None = None) -> None:
        self.events: list[Event] = []
        self._file = path.open("a", encoding="utf-8") if path else None
        self._began = time.monotonic()

    def add(
        self,
        client: str,
        kind: Kind,
        what: str,
        *,
        account: str = "",
        key: str = "",
        call: int = 0,
        value: dict[str, Any] | None = None,
    ) -> Event:
        """Write an event down and return it."""
        event = Event(
            number=len(self.events) + 1,
            at=round(time.monotonic() - self._began, 4),
            client=client,
            kind=kind,
            what=what,
            account=account,
            key=key,
            call=call,
            value=value or {},
        )
        self.events.append(event)
        if self._file is not None:
            self._file.write(json.dumps(asdict(event)) + "\n")
            self._file.flush()
        return event

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def read(lines: Iterable[str]) -> list[Event]:
    """Return the events of a file's lines."""
    return [Event(**{**fields, "kind": Kind(fields["kind"])}) for fields in map(json.loads, lines)]
