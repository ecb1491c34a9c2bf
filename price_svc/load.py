"""Loads past bars from files: `python -m price_svc.load FILE…`. Bars that are there stay, so that a load can be repeated."""

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from price_svc import blocks
from price_svc.bar import INTERVALS, Bar
from price_svc.past_file import MAX_SOURCE, BadFile, BadLine, Layout, PastFile, open_past
from price_svc.past_store import Loaded, PastWriter
from price_svc.schema import SERVICE, prepare_past
from price_svc.settings import PriceSettings
from runtime.databases import Database, DatabaseUnavailable, open_mongo
from runtime.schema_version import ensure_version
from runtime.settings import SettingsError, load

DONE, FAILED, WRONG = 0, 1, 2
# Bars that are gathered before they are written; a file is best sorted by symbol and interval, and need not be.
GATHERED, MOST_GATHERED = 20_000, 200_000
TOLD_LINES = 20
TELL_SECONDS = 5.0


@dataclass(slots=True)
class Outcome:
    """What became of all lines of all files."""

    loaded: Loaded = field(default_factory=Loaded)
    expired: int = 0
    bad_lines: int = 0
    bad_files: int = 0

    @property
    def summary(self) -> str:
        """The outcome in a sentence."""
        parts = [f"{self.loaded.new:,} bars loaded", f"{self.loaded.known:,} were there already"]
        if self.loaded.different:
            parts.append(f"{self.loaded.different:,} of those differ (--replace takes the file's)")
        if self.expired:
            parts.append(f"{self.expired:,} older than what is kept (--for-good keeps them)")
        if self.bad_lines or self.bad_files:
            parts.append(f"{self.bad_lines:,} bad lines, {self.bad_files} bad files")
        return ", ".join(parts)


class Loader:
    """Carries the bars of files into the database."""

    def __init__(self, database: Database, screen: "Screen", wishes: argparse.Namespace) -> None:
        self._database, self._screen, self._wishes = database, screen, wishes
        self._kept_from = blocks.kept_from(time.time_ns())
        self.outcome = Outcome()

    async def load(self, path: str) -> None:
        """Load a file; what is wrong with it is said and counted. Raises DatabaseUnavailable."""
        wishes = self._wishes
        try:
            with open_past(path, Layout(symbol=wishes.symbol, interval=wishes.interval)) as past:
                source = (wishes.source or past.source)[:MAX_SOURCE]
                writer = PastWriter(self._database, source, replace=wishes.replace, for_good=wishes.for_good)
                with self._screen.file(past, path, self.outcome):
                    await self._carry(past, path, writer)
        except BadFile as error:
            self.outcome.bad_files += 1
            self._screen.complain(f"{path}: {error}")

    async def _carry(self, past: PastFile, path: str, writer: PastWriter) -> None:
        gathered: dict[tuple[str, int], list[Bar]] = {}
        kept_from = dict.fromkeys(self._kept_from, -sys.maxsize) if self._wishes.for_good else self._kept_from
        count, place = 0, ("", 0)
        several: list[Bar] = []
        for item in past.rows():
            if isinstance(item, BadLine):
                self._complain(path, item)
                continue
            if item.start_ns < kept_from[item.interval]:
                self.outcome.expired += 1
                continue
            if item[:2] != place:
                if count >= GATHERED:
                    count = await self._write(writer, gathered)
                place = item[:2]
                several = gathered.setdefault(place, [])
            elif count >= MOST_GATHERED:
                count = await self._write(writer, gathered)
                several = gathered.setdefault(place, [])
            several.append(item)
            count += 1
        await self._write(writer, gathered)
        await writer.flush()

    async def _write(self, writer: PastWriter, gathered: dict[tuple[str, int], list[Bar]]) -> int:
        """Write all that was gathered; return how much is left."""
        while gathered:
            place = next(iter(gathered))
            loaded = await writer.write(*place, gathered.pop(place))
            total = self.outcome.loaded
            total.new += loaded.new
            total.known += loaded.known
            total.different += loaded.different
            self._screen.tick()
        return 0

    def _complain(self, path: str, line: BadLine) -> None:
        self.outcome.bad_lines += 1
        if self.outcome.bad_lines <= TOLD_LINES:
            self._screen.complain(f"{path}:{line.number}: {line.reason}")
        elif self.outcome.bad_lines == TOLD_LINES + 1:
            self._screen.complain("more bad lines are counted and not named")


class Screen:
    """Shows how far a load is: a bar in a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
        text = TextColumn("{task.fields[bars]:,} bars")
        self._progress = Progress(*columns, text, console=self._console, disable=not self._console.is_terminal)
        self._task: TaskID | None = None
        self._past: PastFile | None = None
        self._outcome, self._told_at, self._name = Outcome(), time.monotonic(), ""

    def file(self, past: PastFile, path: str, outcome: Outcome) -> Progress:
        """Begin with a file; the block is the time that it takes."""
        self._past, self._outcome, self._name = past, outcome, path
        self._task = self._progress.add_task(path, total=past.size or None, bars=0)
        return self._progress

    def tick(self) -> None:
        """Show how far it is now."""
        if self._task is None or self._past is None:
            return
        bars = self._outcome.loaded.new + self._outcome.loaded.known
        self._progress.update(self._task, completed=self._past.read_bytes, bars=bars)
        if self._progress.disable and time.monotonic() - self._told_at >= TELL_SECONDS:
            self._told_at = time.monotonic()
            share = f", {self._past.read_bytes / self._past.size:.0%}" if self._past.size else ""
            self.say(f"{self._name}: {bars:,} bars{share}")

    def say(self, text: str) -> None:
        """Say something."""
        self._console.print(text, markup=False, soft_wrap=True)

    def complain(self, text: str) -> None:
        """Say what is wrong."""
        self._console.print(text, style="red", markup=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when all was loaded, 1 when something was not, 2 when a setting or an option is wrong."""
    # Bars by the hundred thousand, in no cycle: looking for some would take a third of the time.
    gc.disable()
    screen = Screen()
    try:
        outcome = asyncio.run(run(arguments, screen))
    except SettingsError as error:
        screen.complain(f"wrong settings:\n{error}")
        return WRONG
    except DatabaseUnavailable as error:
        screen.complain(f"{error}; what was loaded stays, and the load can be repeated")
        return FAILED
    except KeyboardInterrupt:
        screen.complain("stopped; what was loaded stays, and the load can be repeated")
        return FAILED
    screen.say(outcome.summary)
    return FAILED if outcome.bad_lines or outcome.bad_files else DONE


async def run(arguments: Sequence[str] | None, screen: Screen | None = None) -> Outcome:
    """Load what the command line names. Raises SettingsError and DatabaseUnavailable."""
    wishes = _parser().parse_args(arguments)
    settings = load(PriceSettings)
    url, driver = settings.mongo_url.get_secret_value(), settings.mongo_driver
    async with open_mongo(url, database=settings.mongo_database, driver=driver) as database:
        await ensure_version(database, SERVICE)
        await prepare_past(database)
        loader = Loader(database, screen or Screen(), wishes)
        for path in wishes.files:
            await loader.load(path)
        return loader.outcome


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m price_svc.load", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE", help="CSV, plain or gzipped; - is standard input")
    parser.add_argument("--source", default="", help="what the bars are called in answers (default: the file's name)")
    parser.add_argument("--symbol", default="", help="the symbol of all bars (default: the file's column, or its name)")
    parser.add_argument(
        "--interval", default="", choices=("", *INTERVALS), help="the interval of all bars (default: 1d)"
    )
    parser.add_argument("--replace", action="store_true", help="take out what is there, heard or loaded")
    parser.add_argument("--for-good", action="store_true", help="keep bars for ever, however old they are")
    return parser


if __name__ == "__main__":
    sys.exit(main())
