"""Places in the code where a process can be told to die, so that every crash between two steps can be tried on purpose.

The points are named K0 to K15 in the order of an order's way; docs/faults.md lists them. Outside of fault tests nothing is armed
and passing a point costs one comparison.
"""

import os
import signal

# The point and how many more times it may be passed; a process arms itself once, before anything runs.
_armed = ""
_left = 0


def arm(where: str) -> None:
    """Have this process die by SIGKILL at a point: "K9" at once, "K9:3" when it is reached for the third time.

    Raises ValueError when the text is neither.
    """
    global _armed, _left
    point, _, count = where.partition(":")
    if not (point[:1] == "K" and point[1:].isdigit()):
        raise ValueError("a crash point is K0 to K15, and a count may follow it, as in K9:3")
    _armed, _left = point, int(count or 1)


def reach(point: str) -> None:
    """Pass a point, or die there."""
    global _left  # noqa: PLW0603 - there is one process to kill
    if point == _armed:
        _left -= 1
        if _left <= 0:
            # No cleaning up: that is the point.
            os.kill(os.getpid(), signal.SIGKILL)
