"""All harnesses, by name."""

from tests.fuzz import messages, sockets, venue, words
from tests.fuzz.harness import Harness

HARNESSES: dict[str, Harness] = {
    harness.name: harness for harness in (*sockets.HARNESSES, *words.HARNESSES, *messages.HARNESSES, *venue.HARNESSES)
}
