"""The instruments as the venue lists them, partition by partition, and the index over all. Pure."""

from collections.abc import Iterable, Sequence

from price_svc.instrument import Instrument
from price_svc.search import InstrumentIndex


class Catalogue:
    """What can be traded. `index` is made anew when a list changes, which is rare."""

    def __init__(self) -> None:
        self.index = InstrumentIndex(())
        self._listed: dict[int, Sequence[Instrument]] = {}

    def take(self, lists: Iterable[tuple[int, Sequence[Instrument]]]) -> list[Instrument]:
        """Take whole lists of partitions, which replace those before; return the instruments that are new or changed."""
        fresh: list[Instrument] = []
        for partition, listed in lists:
            known = set(self._listed.get(partition, ()))
            if len(known) != len(listed) or not known.issuperset(listed):
                self._listed[partition] = listed
                fresh += [instrument for instrument in listed if instrument not in known]
                self._is_old = True
        if self._is_old:
            self.index = InstrumentIndex(item for listed in self._listed.values() for item in listed)
            self._is_old = False
        return fresh

    def remember(self, instruments: Iterable[Instrument]) -> None:
        """Take what was known in an earlier life, until the venue lists anything."""
        if not self._listed:
            self.index = InstrumentIndex(instruments)

    _is_old = False
