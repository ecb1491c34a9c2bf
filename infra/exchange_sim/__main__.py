"""Runs the exchange simulator: `python -m infra.exchange_sim`; with `past`, writes its past as a file of bars instead."""

import sys

from infra.exchange_sim import past_file
from infra.exchange_sim.app import open_app
from infra.exchange_sim.settings import ExchangeSimSettings
from runtime.process import run

if __name__ == "__main__":
    if sys.argv[1:2] == ["past"]:
        sys.exit(past_file.main(sys.argv[2:]))
    run("exchange_sim", ExchangeSimSettings, open_app)
