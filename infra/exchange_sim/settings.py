"""The knobs of the exchange simulator."""

from pathlib import Path

from pydantic import Field

from runtime.settings import Settings, prefixed


class ExchangeSimSettings(Settings):
    """Settings with the prefix EXCHANGE_SIM_. With the defaults it runs on one machine and trades day and night."""

    model_config = prefixed("EXCHANGE_SIM_")

    host: str = "127.0.0.1"
    port: int = Field(19878, ge=1, le=65535)
    comp_id: str = Field("EXSIM", min_length=1)
    ledger_path: Path = Path("var/exchange_sim/ledger.jsonl")
    instruments_path: Path = Path(__file__).with_name("instruments.csv")
    seed: int = 1
    ticks_per_second: float = Field(300.0, ge=0, le=50_000)
    duplicate_detection: bool = True
    faults_path: Path | None = None
    clock_offset_seconds: float = Field(0.0, ge=-31_536_000, le=31_536_000)
