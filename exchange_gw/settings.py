"""The knobs of the gateway."""

from pydantic import Field, SecretStr

from runtime.settings import Settings, prefixed


class ExchangeGwSettings(Settings):
    """Settings with the prefix EXCHANGE_GW_, and FIX_… for the venue. With the defaults it talks to a simulator on this machine."""

    model_config = prefixed("EXCHANGE_GW_")

    host: str = "127.0.0.1"
    port: int = Field(50053, ge=1, le=65535)
    # Holds a password where the database wants one.
    mongo_url: SecretStr = SecretStr("mongodb://127.0.0.1:37017")
    mongo_database: str = Field("exchange_gw", min_length=1)

    # Into how many FIX sessions the order partitions are split; the same number in every replica.
    groups: int = Field(1, ge=1, le=8)
    command_batch: int = Field(500, ge=1, le=1_000)
    # An order that the venue says nothing about for so long is told to be submitted; an answer tells as much.
    submitted_after_seconds: float = Field(0.1, gt=0, le=10)
    # An order that the venue has not answered for so long is asked about, and then reported as uncertain.
    ask_after_seconds: float = Field(1.0, gt=0)
    uncertain_after_seconds: float = Field(3.0, gt=0)
    # "Unknown order" proves nothing before it was said twice, this far apart.
    absence_grace_seconds: float = Field(2.0, gt=0)
    # How often the venue is asked for executions since the last time, and how all orders stand.
    look_seconds: float = Field(30.0, ge=1)
    compare_seconds: float = Field(300.0, ge=1)
    # Rows of the journal are removed so long after their order was decided, unless it still lives at the venue: later than the
    # commands' stream forgets (7 days) and anything that could come again has come.
    journal_days: int = Field(14, ge=8)
    report_queue: int = Field(20_000, ge=1)
    reports_at_once: int = Field(256, ge=1)
    tick_interval_ms: float = Field(5.0, gt=0, le=1_000)

    fix_host: str = Field("127.0.0.1", validation_alias="FIX_HOST")
    fix_port: int = Field(19878, ge=1, le=65535, validation_alias="FIX_PORT")
    fix_sender_comp_id: str = Field("STOCKMESH", min_length=1, validation_alias="FIX_SENDER_COMP_ID")
    fix_target_comp_id: str = Field("EXSIM", min_length=1, validation_alias="FIX_TARGET_COMP_ID")
    fix_heartbeat_seconds: int = Field(5, ge=1, le=60, validation_alias="FIX_HEARTBEAT_SECONDS")
