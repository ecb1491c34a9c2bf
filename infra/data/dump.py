"""A collection as a file: its documents as the server sent them, one behind the other, gzipped (the layout of mongodump --gzip)."""

import gzip
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from bson import decode_file_iter
from bson.raw_bson import RawBSONDocument

from infra.data.manifest import Kept, UnusableBackup
from infra.data.server import RAW

# Documents are small and alike: more effort takes twice the time for a few per cent.
EFFORT = 3
_WRAP = 1 << 256


class Digest:
    """The sum of the SHA-256 of documents: the same in whatever order they come."""

    def __init__(self) -> None:
        self._sum, self.count = 0, 0

    def add(self, document: RawBSONDocument) -> None:
        """Take in one document."""
        self._sum = (self._sum + int.from_bytes(hashlib.sha256(document.raw).digest())) % _WRAP
        self.count += 1

    @property
    def hex(self) -> str:
        """The digest as text."""
        return f"{self._sum:064x}"


def file_of(folder: Path, service: str, collection: str) -> Path:
    """Return the file that holds a collection."""
    return folder / service / f"{collection}.bson.gz"


def write(path: Path, name: str, documents: Iterable[RawBSONDocument]) -> Kept:
    """Write documents to a file, and return what it holds."""
    digest = Digest()
    with gzip.open(path, "wb", compresslevel=EFFORT) as file:
        for document in documents:
            file.write(document.raw)
            digest.add(document)
    return Kept(name, digest.count, sha256_of(path), digest.hex)


def read(path: Path) -> Iterator[RawBSONDocument]:
    """Yield the documents of a file."""
    with gzip.open(path, "rb") as file:
        yield from decode_file_iter(cast(IO[bytes], file), RAW)


def check(path: Path, kept: Kept) -> None:
    """See that a file is the one that was written. Raises UnusableBackup."""
    if not path.exists():
        raise UnusableBackup(f"{path} is missing")
    if sha256_of(path) != kept.sha256:
        raise UnusableBackup(f"{path} was changed or damaged: its SHA-256 is not the manifest's")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
