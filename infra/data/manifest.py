"""What a backup holds: `manifest.json`, written last, so that a backup without one is none."""

from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

NAME = "manifest.json"
VERSION = 1


class UnusableBackup(Exception):
    """The folder is no backup, or not a whole one."""


class Kept(Struct, frozen=True):
    """One collection: how many documents, the SHA-256 of its file, and of its documents in any order (see dump.Digest)."""

    name: str
    documents: int
    sha256: str
    content: str


class Copy(Struct, frozen=True):
    """One database: of which service, in which schema version (0: none yet), how and when it was read."""

    service: str
    database: str
    schema_version: int
    server_version: str
    cut: str
    read_time: datetime
    collections: list[Kept]


class Manifest(Struct, frozen=True):
    """A whole backup."""

    version: int
    create_time: datetime
    copies: list[Copy]


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (folder / NAME).write_bytes(text + b"\n")


def read(folder: Path) -> Manifest:
    """Read the manifest. Raises UnusableBackup."""
    try:
        manifest = msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise UnusableBackup(f"{folder} is no backup: it has no {NAME}, which is written last") from None
    except msgspec.MsgspecError as error:
        raise UnusableBackup(f"{folder / NAME} cannot be read: {error}") from None
    if manifest.version > VERSION:
        raise UnusableBackup(f"{folder} was made by a newer release (manifest {manifest.version}, known {VERSION})")
    return manifest
