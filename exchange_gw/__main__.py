"""Runs the gateway: `python -m exchange_gw`."""

from exchange_gw.app import open_app
from exchange_gw.settings import ExchangeGwSettings
from runtime.process import run

if __name__ == "__main__":
    run("exchange_gw", ExchangeGwSettings, open_app)
