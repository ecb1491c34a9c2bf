"""The knobs of price_svc: PRICE_SVC_<KNOB> in the environment."""

from pydantic import Field, SecretStr, field_validator

from price_svc.calendar import DAY_AND_NIGHT, calendar_of
from runtime.settings import Settings, prefixed


class PriceSettings(Settings):
    """Settings of price_svc beside those that every process shares."""

    model_config = prefixed("PRICE_SVC_")

    host: str = "127.0.0.1"
    port: int = Field(50051, ge=0, le=65_535)
    # Holds a password where the database wants one.
    mongo_url: SecretStr = SecretStr("mongodb://127.0.0.1:37018/?directConnection=true")
    mongo_database: str = Field("price_svc", min_length=1)
    # Prices are public: whoever reaches the port may read them without a token.
    anonymous_reads: bool = True
    max_streams: int = Field(500, ge=1)
    # How long changes of a partition are gathered before they are said on the bus.
    live_interval_ms: int = Field(10, ge=0, le=1_000)
    # How often open bars and gathered ticks go to the database, and so what a crash can cost of the history.
    history_flush_seconds: float = Field(30.0, gt=0, le=300)
    history_timeout_seconds: float = Field(2.0, gt=0, le=30)
    # Some 60 bytes a tick before the server compresses them: 400 ticks a second make 2 GB a day.
    tick_retention_days: float = Field(1.0, gt=0, le=3_650)
    # When the venue trades: `24/7`, or a venue's code for which there is a file in `calendars/`.
    calendar: str = DAY_AND_NIGHT

    @field_validator("calendar")
    @classmethod
    def _known_calendar(cls, name: str) -> str:
        calendar_of(name)
        return name
