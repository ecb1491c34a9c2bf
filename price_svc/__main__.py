"""Entry: `python -m price_svc`."""

from price_svc.app import open_app
from price_svc.settings import PriceSettings
from runtime.process import run

if __name__ == "__main__":
    run("price_svc", PriceSettings, open_app)
