"""What happened in a run, in order, for whoever has to understand a failure."""

from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict

MOST_LINES = 20_000


class Trace:
    """Lines with their virtual time; what the code under test logs is among them."""

    def __init__(self, seconds: Callable[[], float], process: Callable[[], str]) -> None:
        self._seconds, self._process = seconds, process
        self.lines: list[str] = []

    def say(self, who: str, what: str) -> None:
        """Note that something happened."""
        if len(self.lines) < MOST_LINES:
            self.lines.append(f"{self._seconds():9.4f}  {who:<14} {what}")

    def capture(self) -> dict[str, Any]:
        """Take what is logged from now on; returns what `structlog.configure` restores."""
        before = structlog.get_config()
        structlog.configure(processors=[self._log], cache_logger_on_first_use=False)
        return before

    def _log(self, _: object, level: str, line: EventDict) -> EventDict:
        event, room = line.pop("event", ""), line.pop("room", "")
        error = line.pop("exc_info", None)
        rest = " ".join(f"{key}={value}" for key, value in line.items())
        self.say(self._process(), f"[{level}] {room}: {event} {rest}{f' {error!r}' if error else ''}".rstrip())
        raise structlog.DropEvent

    def about(self, *words: str) -> list[str]:
        """Return the lines in which one of the words occurs."""
        return [line for line in self.lines if any(word in line for word in words)]
