"""The ledger: every fact is a JSON line, appended and on disk before anybody hears of it. The ground truth of the exchange."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from infra.exchange_sim.facts import AnyFact, Opened

_DECODER = msgspec.json.Decoder(Opened | AnyFact)
_ENCODER = msgspec.json.Encoder()


class LedgerUnusable(Exception):
    """The ledger is another process's, or holds lines that are none of a ledger's. Nobody trades on that."""


class Ledger:
    """An open ledger: what it held when it was opened, and a way to add to it. Made by `open_ledger`."""

    def __init__(self, file: int, birth: str, facts: list[AnyFact]) -> None:
        self.birth, self.facts = birth, facts
        self._file = file
        # One thread: the disk keeps the order of the calls, and the event loop goes on meanwhile.
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    async def append(self, facts: Sequence[AnyFact]) -> None:
        """Return when the facts are on disk, all with one fsync. Raises OSError; what is on disk is then unknown."""
        lines = _lines(facts)
        await asyncio.get_running_loop().run_in_executor(self._disk, _write, self._file, lines)

    def close(self) -> None:
        """Wait for the write under way, then close."""
        self._disk.shutdown()
        os.close(self._file)


@asynccontextmanager
async def open_ledger(path: Path, *, now_us: int) -> AsyncIterator[Ledger]:
    """Open a ledger, or begin one, for this process alone.

    A last line without an end was never answered for, and is cut off. Raises LedgerUnusable and OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        ledger = _read(path, file, now_us)
    except BaseException:
        os.close(file)
        raise
    try:
        yield ledger
    finally:
        ledger.close()


def _read(path: Path, file: int, now_us: int) -> Ledger:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LedgerUnusable(f"{path} is in use by another process") from None
    text = path.read_bytes()
    whole = text.rfind(b"\n") + 1
    if whole < len(text):
        os.truncate(file, whole)
    if not whole:
        opened = Opened(birth=_base36(now_us // 1000), time_us=now_us)
        _write(file, _lines([opened]))
        _sync_folder(path.parent)
        return Ledger(file, opened.birth, [])
    birth, facts = decode_lines(path, text[:whole])
    return Ledger(file, birth, facts)


def decode_lines(path: Path, text: bytes) -> tuple[str, list[AnyFact]]:
    """Read the whole lines of a ledger: its birth and its facts. Raises LedgerUnusable when they are none, or have a gap."""
    try:
        opened, *facts = _DECODER.decode_lines(text)
    except msgspec.MsgspecError as error:
        raise LedgerUnusable(f"{path} holds a line that is none of a ledger's: {error}") from error
    if not isinstance(opened, Opened):
        raise LedgerUnusable(f"{path} does not begin like a ledger")
    for number, fact in enumerate(facts, start=1):
        if isinstance(fact, Opened) or fact.seq != number:
            raise LedgerUnusable(f"{path} has a gap before line {number + 1}")
    return opened.birth, facts


def _lines(facts: Sequence[Opened | AnyFact]) -> bytes:
    return b"".join(_ENCODER.encode(fact) + b"\n" for fact in facts)


def _write(file: int, lines: bytes) -> None:
    left = memoryview(lines)
    while left:
        left = left[os.write(file, left) :]
    os.fsync(file)


def _sync_folder(folder: Path) -> None:
    """Put the new file's name on disk as well."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits
