"""The folder that outlives a run: the secret of the tokens, the servers' files, logs, and where everything listens."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SECRET_BYTES = 48


class AlreadyRunning(Exception):
    """Another supervisor holds the folder; the text says which process."""


class State:
    """One state folder. Two systems on one machine need two folders and other ports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for the block. Raises AlreadyRunning when someone else does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise AlreadyRunning(
                    f"the system of {self.folder} is running already, as process {lock.read().strip() or 'unknown'}; "
                    "stop it there with Ctrl-C, or set STOCKMESH_STATE and other ports for a second one"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            try:
                yield
            finally:
                self.announcement.unlink(missing_ok=True)
                lock.truncate(0)

    def secret(self, name: str = "jwt_secret") -> str:
        """Return a secret of this folder, made at the first call and readable by its owner alone; by default what signs tokens."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(SECRET_BYTES))
        except FileExistsError:
            pass
        return path.read_text(encoding="ascii").strip()

    def broker_password(self, user: str) -> str:
        """Return the password of a user of the message broker, made at the first call."""
        return self.secret(self.broker_password_file(user).relative_to(self.folder).as_posix())

    def broker_password_file(self, user: str) -> Path:
        """Return the file that holds it."""
        return self.folder / "nats_passwords" / user

    def log(self, name: str) -> Path:
        """Return the log file of a part."""
        return self.folder / "logs" / f"{name}.log"

    def of(self, name: str) -> Path:
        """Return the folder in which a part keeps its files."""
        return self.folder / name

    @property
    def announcement(self) -> Path:
        """The file that tells other programs of this machine where the running system listens; gone when it does not run."""
        return self.folder / "local.json"

    def announce(self, facts: Mapping[str, object]) -> None:
        """Write the announcement, whole or not at all."""
        draft = self.announcement.with_suffix(".draft")
        draft.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        draft.replace(self.announcement)
