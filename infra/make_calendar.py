"""Writes a venue's sessions as a file that price_svc reads: `python -m infra.make_calendar XNYS`.

Needs `exchange_calendars` (Apache-2.0), which brings pandas; the services read the file and need neither.
"""

import csv
import sys
from datetime import UTC
from importlib.metadata import version
from pathlib import Path

import exchange_calendars

FIRST_DAY = "2000-01-01"
FOLDER = Path(__file__).parents[1] / "price_svc" / "calendars"


def main(name: str) -> None:
    """Write all sessions from 2000 to the last one that the library knows."""
    calendar = exchange_calendars.get_calendar(name, start=FIRST_DAY)
    path = FOLDER / f"{name}.csv"
    with path.open("w", newline="", encoding="ascii") as output:
        output.write(f"# {calendar.tz} (sessions in UTC, made by exchange_calendars {version('exchange_calendars')})\n")
        rows = csv.writer(output, lineterminator="\n")
        rows.writerow(("date", "open", "close"))
        for session in calendar.schedule.itertuples():
            opens, closes = (time.to_pydatetime().astimezone(UTC) for time in (session.open, session.close))
            if not opens.date() == closes.date() == session.Index.date():
                sys.exit(f"{name}: the session of {session.Index.date()} is not within one day of UTC")
            rows.writerow((opens.date(), f"{opens:%H:%M}", f"{closes:%H:%M}"))


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and one name
        sys.exit("usage: python -m infra.make_calendar XNYS")
    main(sys.argv[1])
