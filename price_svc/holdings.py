"""Which partitions of the ticks are ours at this moment. Pure but for the leases, which know by the clock."""

from typing import Protocol

from runtime import subjects


class Right(Protocol):
    """The right to speak for a partition."""

    @property
    def held(self) -> bool:
        """Tell whether it is ours at this moment."""
        ...


class Holdings:
    """The partitions that this replica speaks for. Asked before every act: a process that was frozen has lost them unawares."""

    def __init__(self) -> None:
        self._rights: dict[int, Right] = {}
        self._partitions: dict[str, int] = {}

    def take(self, partition: int, right: Right) -> None:
        """Speak for a partition from now on, for as long as the right is held."""
        self._rights[partition] = right

    def drop(self, partition: int) -> None:
        """Speak for a partition no longer."""
        self._rights.pop(partition, None)

    def have(self, partition: int) -> bool:
        """Tell whether a partition is ours at this moment."""
        right = self._rights.get(partition)
        return right is not None and right.held

    def have_any(self) -> bool:
        """Tell whether any partition is ours at this moment."""
        return any(right.held for right in self._rights.values())

    def partition_of(self, symbol: str) -> int:
        """Return the partition of a symbol."""
        partition = self._partitions.get(symbol)
        if partition is None:
            partition = self._partitions[symbol] = subjects.partition_of(symbol, subjects.TICK_PARTITIONS)
        return partition
