"""What one part of the system is: a process, what it needs before it can start, and how to see that it is ready."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

ReadyCheck = Callable[[], Awaitable[None]]
"""Asks a part something real. Raises NotReady or OSError while it cannot answer yet."""


class NotReady(Exception):
    """The part runs and does not serve yet; the text says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port that a part listens on, and the setting that moves it."""

    number: int
    setting: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of the system.

    `command` is a program and its arguments, `environment` all that it sees of ours. `needs` names the parts that must be ready
    before it starts. `orphan_signal` ends it when its supervisor was killed: a server that holds files is asked to close them.
    `tidy_up` is called when it has died, before it is started again; it ends soon and raises nothing.
    """

    name: str
    command: tuple[str, ...]
    ready: ReadyCheck
    ports: tuple[Port, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    stop_seconds: float = 10.0
    orphan_signal: signal.Signals = signal.SIGKILL
    tidy_up: Callable[[], Awaitable[None]] | None = None
