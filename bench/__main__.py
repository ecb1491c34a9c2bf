"""python -m bench [name …]: run the benchmarks named, or all."""

import asyncio
import sys

from bench import fanout, orders, search, slow, ticks, views

ALL = {
    "orders": orders.bench,
    "fanout": fanout.bench,
    "slow": slow.bench,
    "ticks": ticks.bench,
    "views": views.bench,
    "search": search.bench,
}


async def main(names: list[str]) -> None:
    """Run benchmarks one after the other."""
    for name in names:
        await ALL[name]()


if __name__ == "__main__":
    chosen = sys.argv[1:] or list(ALL)
    if unknown := set(chosen) - set(ALL):
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    asyncio.run(main(chosen))
