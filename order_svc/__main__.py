"""python -m order_svc."""

from order_svc.app import open_app
from order_svc.settings import OrderSettings
from runtime.process import run

if __name__ == "__main__":
    run("order_svc", OrderSettings, open_app)
