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
    duplicate_burst_seconds: float = Field(
        0.0, ge=0, le=3600, description="an account's same order is refused within this time; 0 means never"
    )
    account_orders_per_second: float = Field(0.0, ge=0, le=100_000, description="of one account; 0 means no limit")
    query_after_seconds: float = Field(
        5.0, gt=0, description="the exchange is asked about an order that owes an answer"
    )
    query_resting_after_seconds: float = Field(300.0, gt=0, description="and about one that rests in its book")
    group_size: int = Field(100, ge=1, le=1_000, description="most new orders in one transaction")
    lease_seconds: float = Field(3.0, ge=1, le=60, description="how long a dead relay's lease outlives it")
    max_streams: int = Field(200, gt=0, description="order streams served at once")
