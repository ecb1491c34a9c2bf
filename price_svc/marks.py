"""How far the owners of partitions have come in the stream TICKS, as heard, and from where on another can safely go on. Pure."""

# Within that time an owner repeats every quote: what it said before the mark was heard, even if a message was lost.
REPEATED_SECONDS = 6.0


class Marks:
    """Places in the stream TICKS, per partition."""

    def __init__(self) -> None:
        # The place and when it was heard: of now, and of at least some seconds before it.
        self._newer: dict[int, tuple[int, float]] = {}
        self._older: dict[int, int] = {}

    def hear(self, partition: int, sequence: int, now: float) -> None:
        """Note that the owner spoke of a place (0: of none) at `now`, in seconds of any clock that never steps."""
        if not sequence:
            return
        newer = self._newer.get(partition)
        if newer is None or sequence < newer[0]:
            # The first one, or the broker has lost the stream and counts anew.
            self.set(partition, sequence, now)
        elif now - newer[1] >= REPEATED_SECONDS:
            self._older[partition] = newer[0]
            self._newer[partition] = sequence, now

    def set(self, partition: int, sequence: int, now: float) -> None:
        """Note that all up to a place is known for sure."""
        self._older[partition] = sequence
        self._newer[partition] = sequence, now

    def safe(self, partition: int) -> int:
        """Return a place behind which everything that is not known lies; 0 when nothing is known."""
        return self._older.get(partition, 0)
