"""What `make run` shows: a row a part while the system starts, then a line for each thing that happens."""

import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from infra.local.part import Part

REFRESHES_PER_SECOND = 12


class Screen:
    """Tells a person, or a pipe, what the supervisor does. On a pipe every fact is a plain line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: dict[str, RenderableType] = {}
        self._live: Live | None = None
        self._spinner = Spinner("dots", style="cyan")

    def open(self, title: str, parts: Sequence[Part]) -> None:
        """Show the title and a row for each part that is going to start."""
        self._console.print(Text(title, style="bold"))
        if self._console.is_terminal:
            for part in parts:
                self._rows[part.name] = Text("waits", style="dim")
            self._live = Live(
                get_renderable=self._table,
                console=self._console,
                refresh_per_second=REFRESHES_PER_SECOND,
            )
            self._live.start()

    def settle(self) -> None:
        """Freeze the rows as they are; what follows is lines."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def starting(self, part: Part) -> None:
        """Show the part as starting; after the first start it is a line of its own only when it is ready again."""
        self._rows[part.name] = self._spinner

    def ready(self, part: Part, seconds: float) -> None:
        """Show the part as ready."""
        ports = ", ".join(str(port.number) for port in part.ports)
        self._rows[part.name] = Text.assemble(("ready", "green"), f" {seconds:5.1f} s   ", (f"port {ports}", "dim"))
        if self._live is None:
            self._line(part.name, Text(f"ready after {seconds:.1f} s", style="green"))

    def failed(self, part: Part, problem: str, lines: list[str], pause: float) -> None:
        """Show what went wrong, with the end of the log."""
        self._rows[part.name] = Text(problem, style="red")
        self._line(part.name, Text(f"{problem}; starts again in {pause:.1f} s", style="red"))
        for line in lines:
            self._console.print(Text(f"{'':25}{line}", style="dim"), soft_wrap=True)

    def stopped(self, part: Part, status: str) -> None:
        """Show a part that did not go when it was told to; the others are not worth a line each."""
        if status == "SIGKILL":
            self._line(part.name, Text("did not stop in time and was killed", style="yellow"))

    def say(self, text: str, style: str = "") -> None:
        """Show one line; it is never broken, so that it can be copied."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    def facts(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show names and values in two columns; values are never broken."""
        for name, value in rows:
            self._console.print(Text.assemble("  ", (f"{name:<12}", "dim"), value), soft_wrap=True)

    def _line(self, name: str, what: Text) -> None:
        self._console.print(Text.assemble((time.strftime("%H:%M:%S"), "dim"), f"  {name:<13} ", what), soft_wrap=True)

    def _table(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for name, state in self._rows.items():
            table.add_row(Text("  " + name), state)
        return Group(table)
