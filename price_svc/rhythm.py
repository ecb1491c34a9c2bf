"""How often something is usually heard, and whether it is silent for too long. Pure: the time is given, in nanoseconds."""

from price_svc.quote import SECOND_NS

SILENT_NS = 10 * SECOND_NS
SILENT_GAPS = 20
# What is taken for usual of a symbol while only one tick is known: or every thin one would look dead in the minute after a start.
FIRST_GAP_NS = 30 * SECOND_NS
# A night is no usual gap.
LONGEST_GAP_NS = 300 * SECOND_NS
# What was said longer ago than this before it was heard comes from a backlog, and is as old as it says. Less may be a clock that
# runs late.
LATE_NS = 30 * SECOND_NS


class Rhythm:
    """The beat of a symbol or of a whole feed; `first_gap_ns` is taken for usual while only one beat is known."""

    __slots__ = ("_arrived_ns", "_first_gap_ns", "_last_ns", "heard_ns", "is_late", "usual_gap_ns")

    def __init__(self, *, first_gap_ns: int = 0) -> None:
        self._first_gap_ns = first_gap_ns
        # When it was heard last; 0 when never.
        self.heard_ns = 0
        # Whether that came out of a backlog.
        self.is_late = False
        # Moving average of the gaps between the venue's times; 0 while only one is known.
        self.usual_gap_ns = 0
        # The venue's latest time, and our clock when it came.
        self._last_ns, self._arrived_ns = 0, 0

    def beat(self, time_ns: int, now_ns: int) -> None:
        """Note that something of the venue's time `time_ns` was heard now."""
        gap = time_ns - self._last_ns
        if gap >= 0:
            if self._last_ns:
                gap = min(gap, LONGEST_GAP_NS)
                usual = self.usual_gap_ns
                self.usual_gap_ns = max(usual + (gap - usual) // 8 if usual else gap, 1)
            self._last_ns, self._arrived_ns = time_ns, now_ns
        self.is_late = time_ns <= now_ns - LATE_NS
        self.heard_ns = max(time_ns, self.heard_ns) if self.is_late else now_ns

    def remember(self, time_ns: int) -> None:
        """Note that something of the venue's time `time_ns` was heard in an earlier life."""
        self.heard_ns = self._last_ns = self._arrived_ns = max(time_ns, self._last_ns)

    def silence_ns(self, now_ns: int) -> int:
        """Return how long nothing was heard."""
        return max(now_ns - self.heard_ns, 0)

    def is_silent(self, now_ns: int) -> bool:
        """Tell whether it is silent for longer than 10 s and than 20 times its usual gap."""
        silence = now_ns - self.heard_ns
        return silence > SILENT_NS and silence > SILENT_GAPS * (self.usual_gap_ns or self._first_gap_ns)

    def venue_now_ns(self, now_ns: int) -> int:
        """Return the venue's clock as far as was heard: while a backlog is read it shows the past."""
        return self._last_ns + (now_ns - self._arrived_ns) if self._last_ns else now_ns
