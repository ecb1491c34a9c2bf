"""Runs a program that does not outlive the process that started it: tether.py <signal> <parent pid> <program> [argument…].

The kernel sends the signal when the parent is gone, however it went (Linux; elsewhere the program simply runs). The process
id stays the same, as this file is replaced by the program. Imports nothing slow: it runs before every start of a part.
"""

import ctypes
import os
import sys

SET_PARENT_DEATH_SIGNAL = 1


def main() -> None:
    """Tie this process to its parent and become the program."""
    death_signal, parent, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, death_signal)
        if os.getppid() != parent:  # it went before the tie was made
            sys.exit(1)
    os.execvp(program[0], program)  # noqa: S606 - the command is a row of our own table


if __name__ == "__main__":
    main()
