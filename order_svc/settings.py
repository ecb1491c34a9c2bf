"""The knobs of order_svc."""

from datetime import time

from pydantic import Field, SecretStr

from runtime.settings import Settings, prefixed


class OrderSettings(Settings):
    """Settings of order_svc; the environment names start with ORDER_SVC_ unless an alias says otherwise."""

    model_config = prefixed("ORDER_SVC_")

    host: str = "127.0.0.1"
    port: int = Field(50052, ge=0, le=65535)
    mongo_url: SecretStr = SecretStr("mongodb://127.0.0.1:37017/")
    mongo_database: str = "order_svc"
    max_notional: int = Field(10_000_000, gt=0, le=10**9, description="largest quantity times price of one order")
    limit_collar_bps: int = Field(1_000, gt=0, le=10_000, description="how far a limit may be beyond the last price")
    market_collar_bps: int = Field(
        500, gt=0, le=10_000, description="how far from the last price a MARKET order may fill"
    )
    session_end_utc: time = Field(time(0, 0), description="when the venue's day ends, for the submit_by of DAY orders")
    quote_max_age_seconds: float = Field(15.0, gt=0, description="a quote not repeated for this long is no live price")
    max_streams: int = Field(200, gt=0, description="order streams served at once")
