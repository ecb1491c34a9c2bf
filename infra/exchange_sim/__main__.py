"""Runs the exchange simulator: `python -m infra.exchange_sim`."""

from infra.exchange_sim.app import open_app
from infra.exchange_sim.settings import ExchangeSimSettings
from runtime.process import run

if __name__ == "__main__":
    run("exchange_sim", ExchangeSimSettings, open_app)
