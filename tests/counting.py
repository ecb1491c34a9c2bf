"""What is asked of MongoDB, command by command: the driver tells it, whichever driver it is."""

from pymongo import monitoring


class Commands(monitoring.CommandListener):
    """Notes every command as "name collection", for each database; one without a collection as its name alone."""

    def __init__(self) -> None:
        self._heard: dict[str, list[str]] = {}

    def of(self, database: str) -> list[str]:
        """Return what was asked of a database since the last call, oldest first."""
        return self._heard.pop(database, [])

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Note a command."""
        subject = event.command.get(event.command_name)
        about = f" {subject}" if isinstance(subject, str) else ""
        # A transaction's end is told to the admin database.
        names = [event.database_name] if about else list(self._heard)
        for name in names:
            self._heard.setdefault(name, []).append(f"{event.command_name}{about}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing."""


COMMANDS = Commands()
# Clients hear only of listeners that were there before them.
monitoring.register(COMMANDS)
