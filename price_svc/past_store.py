"""MongoDB: bars that were loaded from files, in the collection `past_bars`. Beside those that were heard, never instead of them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import pymongo
from pymongo import DeleteOne, ReplaceOne

from price_svc import blocks, documents
from price_svc.bar import Bar
from price_svc.history import Past, Span
from runtime.databases import Database, Document

COLLECTION = "past_bars"
# A page of bars seldom needs more; documents are up to 50 KB.
BLOCKS_AT_ONCE = 32
# As many as a small server writes in some 50 ms.
BATCH = 40


@dataclass(slots=True)
class Loaded:
    """What became of bars: new ones, such as were there already, and of these those that differ from what is kept."""

    new: int = 0
    known: int = 0
    different: int = 0


async def past_bars(database: Database, symbol: str, span: Span) -> Past:
    """Return loaded bars of a span, oldest first: all, or at least one more than its limit. Raises DatabaseUnavailable."""
    found: dict[int, Bar] = {}
    sources: set[str] = set()
    first = documents.date_of(blocks.block_of(span.interval, max(span.from_ns, 0)))
    wanted = {
        "symbol": symbol,
        "interval": span.interval,
        "block": {"$gte": first, "$lt": documents.date_of(span.to_ns)},
    }
    seen = 0
    while True:
        cursor = database.collection(COLLECTION).find(wanted).sort("block", pymongo.ASCENDING)
        several = await database.read(cursor.skip(seen).limit(BLOCKS_AT_ONCE).to_list(None))
        for document in several:
            bars = [bar for bar in blocks.block_from(document) if span.holds(bar)]
            found.update((bar.start_ns, bar) for bar in bars)
            if bars:
                sources.add(document["source"])
        seen += len(several)
        if len(several) < BLOCKS_AT_ONCE or (span.limit and len(found) > span.limit):
            return Past([found[start_ns] for start_ns in sorted(found)], frozenset(sources))


class PastWriter:
    """Puts bars of one source beside those that are there.

    A bar that is there stays, whatever its source, unless `replace`: then it is taken out everywhere, heard or loaded.
    """

    def __init__(self, database: Database, source: str, *, replace: bool, for_good: bool) -> None:
        self._database, self._source, self._replace, self._for_good = database, source, replace, for_good
        self._writes: list[ReplaceOne[Document] | DeleteOne] = []
        self._good: set[str] = set()
        # Whose blocks wait to be written.
        self._waiting: set[tuple[str, int]] = set()

    async def write(self, symbol: str, interval: int, bars: Iterable[Bar]) -> Loaded:
        """Keep bars of one symbol and interval. Raises DatabaseUnavailable."""
        loaded = Loaded()
        fresh: defaultdict[int, dict[int, Bar]] = defaultdict(dict)
        for bar in bars:
            fresh[blocks.block_of(interval, bar.start_ns)][bar.start_ns] = bar
        if (symbol, interval) in self._waiting:
            await self.flush()
        kept = await self._kept(symbol, interval, min(fresh), max(fresh))
        for block_ns, block in fresh.items():
            self._merge(block_ns, block, kept.get(block_ns, {}), loaded)
        self._waiting.add((symbol, interval))
        if self._replace:
            await self._take_out(symbol, interval, [start_ns for block in fresh.values() for start_ns in block])
        if len(self._writes) >= BATCH:
            await self.flush()
        return loaded

    async def flush(self) -> None:
        """Write what waits. Raises DatabaseUnavailable."""
        while self._writes:
            batch = self._writes[:BATCH]
            collection = self._database.collection(COLLECTION)
            await self._database.read(collection.bulk_write(batch, ordered=False))
            del self._writes[: len(batch)]
        self._waiting.clear()

    def _merge(self, block_ns: int, fresh: dict[int, Bar], kept: dict[str, dict[int, Bar]], loaded: Loaded) -> None:
        before = kept.get(self._source, {})
        others: dict[int, Bar] = {}
        for source, bars in kept.items():
            if source != self._source:
                others |= bars
        there = others | before
        known = fresh.keys() & there.keys()
        loaded.new += len(fresh) - len(known)
        loaded.known += len(known)
        loaded.different += sum(1 for start_ns in known if there[start_ns] != fresh[start_ns])
        if self._replace:
            merged = before | fresh
            for source, bars in kept.items():
                if source != self._source and bars.keys() & fresh.keys():
                    left = {start_ns: bar for start_ns, bar in bars.items() if start_ns not in fresh}
                    self._put(source, block_ns, left, next(iter(bars.values())))
        else:
            merged = {start_ns: bar for start_ns, bar in fresh.items() if start_ns not in others} | before
        if merged and merged != before:
            self._put(self._source, block_ns, merged, next(iter(merged.values())))

    def _put(self, source: str, block_ns: int, bars: dict[int, Bar], example: Bar) -> None:
        name = blocks.block_id(example.symbol, example.interval, source, block_ns)
        if not bars:
            self._writes.append(DeleteOne({"_id": name}))
            return
        ordered = [bars[start_ns] for start_ns in sorted(bars)]
        for_good = self._for_good or name in self._good
        document = blocks.block_to(source, block_ns, ordered, for_good=for_good)
        self._writes.append(ReplaceOne({"_id": name}, document, upsert=True))

    async def _kept(
        self, symbol: str, interval: int, first_ns: int, last_ns: int
    ) -> dict[int, dict[str, dict[int, Bar]]]:
        """Return what is there: by block, source and start."""
        wanted = {
            "symbol": symbol,
            "interval": interval,
            "block": {"$gte": documents.date_of(first_ns), "$lte": documents.date_of(last_ns)},
        }
        found = await self._database.read(self._database.collection(COLLECTION).find(wanted).to_list(None))
        self._good.clear()
        kept: defaultdict[int, dict[str, dict[int, Bar]]] = defaultdict(dict)
        for document in found:
            if "expire_time" not in document:
                self._good.add(document["_id"])
            bars = {bar.start_ns: bar for bar in blocks.block_from(document)}
            kept[documents.ns_of(document["block"])][document["source"]] = bars
        return kept

    async def _take_out(self, symbol: str, interval: int, starts_ns: list[int]) -> None:
        starts = [documents.date_of(start_ns) for start_ns in starts_ns]
        for nth in range(0, len(starts), 500):
            wanted = {"symbol": symbol, "interval": interval, "start": {"$in": starts[nth : nth + 500]}}
            await self._database.read(self._database.collection("bars").delete_many(wanted))
