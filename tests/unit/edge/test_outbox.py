"""One client's outbox: nothing lossless is dropped, what is replaceable is replaced, and a client that does not read is bounded."""

import pytest

from edge.framing import framed
from edge.outbox import Outbox, Overflow


class Wire:
    """What was written, by a transport that takes only so many frames."""

    def __init__(self, *, takes: int = 1_000, max_frames: int = 100, max_bytes: int = 10_000) -> None:
        self.frames: list[bytes] = []
        self.takes = takes
        self.outbox = Outbox(self._write, max_frames=max_frames, max_bytes=max_bytes)

    def _write(self, frame: bytes) -> None:
        self.frames.append(frame)
        self.takes -= 1
        if self.takes <= 0:
            self.outbox.pause()

    def texts(self) -> list[bytes]:
        """Return the texts of the (short) frames."""
        return [frame[2:] for frame in self.frames]


def test_a_client_that_reads_gets_everything_at_once() -> None:
    wire = Wire()
    wire.outbox.put(b"1")
    wire.outbox.put_newest("beat", b"2")
    wire.outbox.put(b"3")
    assert wire.frames == [framed(b"1"), framed(b"2"), framed(b"3")]


def test_when_a_client_reads_again_the_lossless_come_first_and_in_order() -> None:
    wire = Wire(takes=1)
    wire.outbox.put(b"0")
    wire.outbox.put_newest("beat", b"old")
    wire.outbox.put(b"1")
    wire.outbox.put_newest("beat", b"new")
    wire.outbox.put(b"2")
    assert not wire.outbox.is_ready
    wire.takes = 10
    wire.outbox.resume()
    assert wire.texts() == [b"0", b"1", b"2", b"new"]
    assert wire.outbox.is_ready


def test_a_client_that_takes_a_little_gets_a_little() -> None:
    wire = Wire(takes=1)
    for number in range(6):
        wire.outbox.put(b"%d" % number)
    for expected in (2, 3, 4):
        wire.takes = 1
        wire.outbox.resume()
        assert len(wire.frames) == expected
        assert not wire.outbox.is_ready
    wire.takes = 10
    wire.outbox.resume()
    assert wire.texts() == [b"0", b"1", b"2", b"3", b"4", b"5"]


@pytest.mark.parametrize("limits", [{"max_frames": 3}, {"max_bytes": 30}])
def test_too_much_unread_is_an_overflow_and_reading_makes_room(limits: dict[str, int]) -> None:
    wire = Wire(takes=1, **limits)
    for _ in range(4):
        wire.outbox.put(b"1234567890")
    with pytest.raises(Overflow):
        wire.outbox.put(b"1234567890")
    wire.takes = 2
    wire.outbox.resume()
    wire.outbox.put(b"1234567890")


def test_what_is_replaceable_never_overflows() -> None:
    wire = Wire(takes=1, max_frames=1, max_bytes=10)
    wire.outbox.put(b"0")
    for number in range(1_000):
        wire.outbox.put_newest("beat", b"%d" % number)
    wire.takes = 10
    wire.outbox.resume()
    assert wire.texts() == [b"0", b"999"]


def test_nothing_is_written_to_a_client_that_is_gone() -> None:
    wire = Wire()
    wire.outbox.close()
    wire.outbox.put(b"1")
    wire.outbox.put_newest("beat", b"2")
    assert wire.frames == []
