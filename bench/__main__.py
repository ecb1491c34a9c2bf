"""python -m bench [name …]: run the benchmarks named, or all."""

import asyncio
import sys
import tempfile
from pathlib import Path

from bench import orders, prices
from infra.local.running import running_system

ALL = {"orders": orders.measure, "prices": prices.measure}


async def main(names: list[str]) -> None:
    """Start the system once and measure."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_system(Path(folder)) as system:
            for name in names:
                await ALL[name](system)


if __name__ == "__main__":
    chosen = sys.argv[1:] or list(ALL)
    if unknown := set(chosen) - set(ALL):
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    asyncio.run(main(chosen))
