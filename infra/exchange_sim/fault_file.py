"""The fault script's file, obeyed as it changes; and beside the ledger the list of what struck, `faults.jsonl`."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from infra.exchange_sim.faults import Faults, Script, Strike, read_script
from infra.exchange_sim.injector import Injector, Struck
from infra.exchange_sim.lines import Lines
from infra.exchange_sim.market_wire import security_status
from infra.exchange_sim.service import Exchange
from runtime.logs import get_logger

LOOK_SECONDS = 0.1
STRUCK_NAME = "faults.jsonl"

logger = get_logger("exchange_sim.faults")


class FaultLog:
    """Appends what struck to a file. Not fsynced: it is for who checks a run, not for the exchange. Made by `open_fault_log`."""

    def __init__(self, file: int, clock: Callable[[], int]) -> None:
        self._file, self._clock = file, clock

    def note(self, struck: Struck) -> None:
        """Log a fault and write it down."""
        strike, event = struck.strike, struck.event
        said = {
            "fault": strike.rule.fault.value,
            "rule": strike.number,
            "times": strike.times,
            "on": event.kind.value,
            "cl_ord_id": event.key,
            "session": struck.session,
            "order_id": struck.order_id,
            "exec_id": struck.exec_id,
            "symbol": event.symbol,
            "account": event.account,
        }
        self._write(said)

    def note_halt(self, strike: Strike) -> None:
        """Log that a symbol is halted and write it down."""
        self._write({"fault": "halt", "rule": strike.number, "times": 1, "symbol": strike.rule.symbol})

    def _write(self, said: dict[str, str | int]) -> None:
        logger.info("fault injected", **said)
        os.write(self._file, msgspec.json.encode({"time_us": self._clock()} | said) + b"\n")


@contextmanager
def open_fault_log(ledger_path: Path, clock: Callable[[], int]) -> Iterator[FaultLog]:
    """Open the list of what struck, beside the ledger, for the block. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    file = os.open(ledger_path.with_name(STRUCK_NAME), flags, 0o644)
    try:
        yield FaultLog(file, clock)
    finally:
        os.close(file)


class FaultFile:
    """The script as its file says it now. `obey` is told of each other script, and every look of how long it has been."""

    def __init__(
        self, path: Path, obey: Callable[[Faults | None], None], halt: Callable[[dict[str, Strike]], None]
    ) -> None:
        self._path, self._obey, self._halt = path, obey, halt
        self._seen: tuple[int, int, int] | None = None
        self._faults: Faults | None = None
        self._began = 0.0

    def look(self, now: float) -> None:
        """Read the file if it has changed; `now` is in monotonic seconds. A broken one is logged and changes nothing."""
        seen = self._stat()
        if seen != self._seen:
            self._seen = seen
            self._read(now, exists=seen is not None)
        self._halt(self._faults.halts((now - self._began) * 1000) if self._faults else {})

    async def follow(self) -> None:
        """Look again and again, for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look(clock())

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def _read(self, now: float, *, exists: bool) -> None:
        try:
            script = read_script(self._path.read_bytes()) if exists else Script()
        except (OSError, ValueError) as error:
            logger.error("the fault script cannot be read; the old one holds", path=str(self._path), error=str(error))
            return
        logger.info("fault script", path=str(self._path), rules=len(script.rules), seed=script.seed)
        self._faults, self._began = (Faults(script), now) if script != Script() else (None, now)
        self._obey(self._faults)


class Trouble:
    """What a script means for the exchange: `duplicate_detection` is what holds when a script does not speak of it."""

    def __init__(
        self,
        exchange: Exchange,
        injector: Injector,
        lines: Lines,
        log: FaultLog,
        clock: Callable[[], int],
        *,
        duplicate_detection: bool,
    ) -> None:
        self._exchange, self._injector, self._lines, self._log, self._clock = exchange, injector, lines, log, clock
        self._duplicate_detection = duplicate_detection

    def obey(self, faults: Faults | None) -> None:
        """Follow a script from now on, or none."""
        self._injector.use(faults)
        wanted = faults.script.duplicate_detection if faults else None
        self._exchange.detect_duplicates(wanted=self._duplicate_detection if wanted is None else wanted)

    def halt(self, halts: Mapping[str, Strike]) -> None:
        """Halt trading in these symbols and in no others, and say so to whoever hears the market."""
        for symbol in self._exchange.halt(halts.keys()):
            is_halted = symbol in halts
            if is_halted:
                self._log.note_halt(halts[symbol])
            self._lines.announce(security_status(symbol, halted=is_halted, time_us=self._clock()))
