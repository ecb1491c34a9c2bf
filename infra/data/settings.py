"""Where the services' databases are: from the same variables that the services read."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class StoredSettings(BaseSettings):
    """Addresses and names of the databases. `tls_ca` is whom we trust when an address says tls=true and names nobody."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True)

    order_svc_url: str = Field("mongodb://127.0.0.1:37017/", validation_alias="ORDER_SVC_MONGO_URL")
    order_svc_database: str = Field("order_svc", validation_alias="ORDER_SVC_MONGO_DATABASE")
    exchange_gw_url: str = Field("mongodb://127.0.0.1:37017/", validation_alias="EXCHANGE_GW_MONGO_URL")
    exchange_gw_database: str = Field("exchange_gw", validation_alias="EXCHANGE_GW_MONGO_DATABASE")
    price_svc_url: str = Field("mongodb://127.0.0.1:37018/", validation_alias="PRICE_SVC_MONGO_URL")
    price_svc_database: str = Field("price_svc", validation_alias="PRICE_SVC_MONGO_DATABASE")
    tls_ca: str = Field("", validation_alias="TLS_CA")
