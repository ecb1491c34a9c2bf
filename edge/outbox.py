"""What one client still has to read: every response and order update, but only the newest price per symbol. Pure: no clock, no I/O.

While the client takes what it is given, frames go straight on. When it stops, there are two classes. Lossless frames wait in
order and are bounded: when they overflow the client is too slow to be told the truth and has to come again. Prices are not kept
at all: once the client reads again it gets the newest, so a slow client costs next to nothing and reads nothing old. A trader
acting on an old price is worse off than one who missed a tick.
"""

from collections import deque
from collections.abc import Callable

from edge.framing import framed


class Overflow(Exception):
    """The lossless queue is full: the client does not read."""


class Outbox:
    """One client's frames. `write` takes ready WebSocket frames; it may call `pause` before it returns.

    `is_ready` says that what is written now waits behind nothing; prices are written only then.
    """

    __slots__ = ("_bytes", "_is_paused", "_lossless", "_max_bytes", "_max_frames", "_newest", "is_ready", "write")

    def __init__(self, write: Callable[[bytes], None], *, max_frames: int, max_bytes: int) -> None:
        self.write, self._max_frames, self._max_bytes = write, max_frames, max_bytes
        self.is_ready, self._is_paused = True, False
        self._lossless: deque[bytes] = deque()
        self._bytes = 0
        self._newest: dict[str, bytes] = {}

    def put(self, frame: bytes) -> None:
        """Send a lossless frame (text). Raises Overflow when the client has too much to read."""
        if self.is_ready:
            self.write(framed(frame))
            return
        if len(self._lossless) >= self._max_frames or self._bytes + len(frame) > self._max_bytes:
            raise Overflow
        self._lossless.append(frame)
        self._bytes += len(frame)

    def put_newest(self, kind: str, frame: bytes) -> None:
        """Send a frame that replaces an earlier one of its kind, if that was not sent yet."""
        if self.is_ready:
            self.write(framed(frame))
        else:
            self._newest[kind] = frame

    def pause(self) -> None:
        """The client does not take what it was given: from now on frames wait."""
        self.is_ready, self._is_paused = False, True

    def resume(self) -> None:
        """The client reads again: send what waits, as long as it does."""
        self._is_paused = False
        while self._lossless and not self._is_paused:
            frame = self._lossless.popleft()
            self._bytes -= len(frame)
            self.write(framed(frame))
        while self._newest and not self._is_paused:
            self.write(framed(self._newest.pop(next(iter(self._newest)))))
        self.is_ready = not self._is_paused

    def close(self) -> list[bytes]:
        """Forget everything, as the client is gone; return the lossless frames that it did not get."""
        self.pause()
        unsent = list(self._lossless)
        self._lossless.clear()
        self._newest.clear()
        self._bytes = 0
        return unsent
