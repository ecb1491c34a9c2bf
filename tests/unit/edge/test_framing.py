"""Frames are what a WebSocket library makes of the same text."""

import pytest
from websockets.frames import Frame, Opcode

from edge.framing import framed


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_a_frame_is_built_as_the_standard_says(length: int) -> None:
    text = b"x" * length
    assert framed(text) == Frame(Opcode.TEXT, text).serialize(mask=False)
