"""The command line: `python -m infra.data backup | restore | verify`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pymongo.errors import PyMongoError

from infra.data import backup, restore
from infra.data.manifest import Manifest, UnusableBackup
from infra.data.server import SERVICES, Place, places
from infra.data.settings import StoredSettings

FAILURES = (UnusableBackup, backup.FolderInUse, restore.NotEmpty, restore.NotTheSame, OSError, PyMongoError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 1 when it failed."""
    wishes = _parser().parse_args(arguments)
    settings = StoredSettings()
    chosen = places(settings, wishes.only)
    try:
        run: Callable[[argparse.Namespace, Sequence[Place], str], Manifest] = wishes.run
        made = run(wishes, chosen, settings.tls_ca)
    except FAILURES as error:
        sys.stderr.write(f"{wishes.command} failed: {error}\n")
        return 1
    for copy in (copy for copy in made.copies if copy.service in wishes.only):
        documents = sum(kept.documents for kept in copy.collections)
        sys.stdout.write(
            f"{copy.service}  schema {copy.schema_version}, {len(copy.collections)} collections, {documents} documents, "
            f"of {copy.read_time:%Y-%m-%d %H:%M:%S} UTC ({copy.cut})\n"
        )
    sys.stdout.write(wishes.said)
    return 0


def _backup(wishes: argparse.Namespace, chosen: Sequence[Place], tls_ca: str) -> Manifest:
    return backup.make(wishes.out, chosen, tls_ca=tls_ca)


def _restore(wishes: argparse.Namespace, chosen: Sequence[Place], tls_ca: str) -> Manifest:
    return restore.put_back(wishes.from_, chosen, tls_ca=tls_ca, halt=not wishes.keep_trading_state)


def _verify(wishes: argparse.Namespace, chosen: Sequence[Place], tls_ca: str) -> Manifest:
    return restore.check(wishes.from_)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.data", description=__doc__, epilog="See docs/data.md.")
    commands = parser.add_subparsers(dest="command", required=True)
    taking = commands.add_parser("backup", help="copy the services' databases into a folder, while they run")
    taking.add_argument("--out", type=Path, required=True, help="a new or empty folder")
    taking.set_defaults(run=_backup, said="")
    giving = commands.add_parser("restore", help="write a backup into empty databases, while the services are stopped")
    giving.add_argument("--from", dest="from_", type=Path, required=True, help="a folder that `backup` wrote")
    giving.add_argument(
        "--keep-trading-state",
        action="store_true",
        help="do not halt trading until an operator has compared and resumes",
    )
    giving.set_defaults(
        run=_restore,
        said="Now: empty the broker's order streams and Redis, start the services, `stockmesh ops reconcile`, then "
        "`stockmesh ops resume` (docs/data.md).\n",
    )
    looking = commands.add_parser("verify", help="see that every file of a backup is what was written")
    looking.add_argument("--from", dest="from_", type=Path, required=True, help="a folder that `backup` wrote")
    looking.set_defaults(run=_verify, said="")
    for command in (taking, giving, looking):
        command.add_argument(
            "--only", type=_services, default=SERVICES, help=f"some of {','.join(SERVICES)}; all without"
        )
    return parser


def _services(text: str) -> tuple[str, ...]:
    """Return the services that are named. Raises ArgumentTypeError."""
    names = tuple(text.split(","))
    if unknown := sorted(set(names) - set(SERVICES)):
        raise argparse.ArgumentTypeError(f"there is no database of {', '.join(unknown)}")
    return names
