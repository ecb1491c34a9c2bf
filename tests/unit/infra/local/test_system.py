"""Tests of infra/local/system.py: what a setting replaces is not started, and everyone is told where things are."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.local import programs, servers
from infra.local.part import Part
from infra.local.settings import LocalSettings
from infra.local.state import State
from infra.local.system import parts

SECRET = "x" * 40
ALL = (
    "nats",
    "redis",
    "orders_mongo",
    "prices_mongo",
    "exchange_sim",
    "price_svc",
    "order_svc",
    "exchange_gw",
    "edge",
    "envoy",
)


@pytest.fixture(autouse=True)
def every_program(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nats_server", "valkey_server", "mongo_server", "envoy"):
        monkeypatch.setattr(programs, name, lambda name=name: f"/bin/{name}")


def table(folder: Path, **changed: object) -> dict[str, Part]:
    settings = LocalSettings.model_validate({"state": folder, **changed})
    return {part.name: part for part in parts(settings, State(folder), SECRET)}


def test_without_settings_everything_is_started(tmp_path: Path) -> None:
    assert tuple(table(tmp_path)) == ALL


@pytest.mark.parametrize(
    ("changed", "gone"),
    [
        ({"nats_url": "nats://n:4222"}, {"nats"}),
        ({"redis_url": "redis://r"}, {"redis"}),
        ({"price_svc_mongo_url": "mongodb://m"}, {"prices_mongo"}),
        ({"order_svc_mongo_url": "mongodb://m"}, {"orders_mongo"}),
        ({"exchange_gw_mongo_url": "mongodb://m"}, set()),
        ({"fix_host": "venue.example"}, {"exchange_sim"}),
    ],
)
def test_what_is_given_is_not_started_and_not_waited_for(
    tmp_path: Path, changed: dict[str, str], gone: set[str]
) -> None:
    found = table(tmp_path, **changed)

    assert set(ALL) - set(found) == gone
    assert not any(part.needs & gone for part in found.values())


def test_services_are_told_where_the_given_parts_are(tmp_path: Path) -> None:
    found = table(tmp_path, nats_url="nats://n:4222", price_svc_mongo_url="mongodb://m", fix_host="v", fix_port=5001)

    assert found["order_svc"].environment["NATS_URL"] == "nats://n:4222"
    assert found["price_svc"].environment["PRICE_SVC_MONGO_URL"] == "mongodb://m"
    assert found["order_svc"].environment["ORDER_SVC_MONGO_URL"] == servers.mongo_url(37017)
    gateway = found["exchange_gw"].environment
    assert (gateway["FIX_HOST"], gateway["FIX_PORT"]) == ("v", "5001")


def test_the_gateways_journal_lies_beside_the_orders_unless_told_otherwise(tmp_path: Path) -> None:
    beside = table(tmp_path, order_svc_mongo_url="mongodb://m")
    apart = table(tmp_path, order_svc_mongo_url="mongodb://m", exchange_gw_mongo_url="mongodb://j")

    assert beside["exchange_gw"].environment["EXCHANGE_GW_MONGO_URL"] == "mongodb://m"
    assert apart["exchange_gw"].environment["EXCHANGE_GW_MONGO_URL"] == "mongodb://j"


def test_without_envoy_everything_else_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "envoy", lambda: None)

    assert tuple(table(tmp_path)) == ALL[:-1]


def test_the_secret_is_in_no_command_line_and_not_with_the_servers(tmp_path: Path) -> None:
    for part in table(tmp_path).values():
        assert not any(SECRET in word for word in part.command)
    assert "JWT_SECRET" not in table(tmp_path)["nats"].environment


def test_every_port_has_a_setting_of_its_own(tmp_path: Path) -> None:
    ports = [port for part in table(tmp_path).values() for port in part.ports]

    assert len({port.number for port in ports}) == len({port.setting for port in ports}) == len(ports) == 16


def test_each_service_has_a_user_of_its_own_at_the_broker_and_no_password_is_in_a_command_line(tmp_path: Path) -> None:
    found = table(tmp_path)
    state = State(tmp_path)

    urls = {name: found[name].environment["NATS_URL"] for name in ("price_svc", "order_svc", "exchange_gw", "edge")}
    assert urls == {name: f"nats://{name}:{state.broker_password(name)}@127.0.0.1:14222" for name in urls}
    words = [word for part in found.values() for word in part.command]
    assert not any(state.broker_password(name) in word for name in (*urls, "operator") for word in words)


def test_a_broker_that_is_given_and_one_without_users_get_no_passwords(tmp_path: Path) -> None:
    given, without = table(tmp_path, nats_url="nats://n:4222"), table(tmp_path, nats_users=False)

    assert given["edge"].environment["NATS_URL"] == "nats://n:4222"
    assert without["edge"].environment["NATS_URL"] == "nats://127.0.0.1:14222"
    assert not any(name.startswith("NATS_PASSWORD") for name in without["nats"].environment)


def test_replicas_listen_side_by_side_and_everybody_knows_all_of_them(tmp_path: Path) -> None:
    found = table(tmp_path, replicas=2, edge_metrics_port=0)

    second = found["order_svc-2"]
    assert [port.number for port in second.ports] == [50152, 19203]
    assert (second.environment["ORDER_SVC_PORT"], second.environment["ORDER_SVC_METRICS_PORT"]) == ("50152", "19203")
    assert {"price_svc-2", "exchange_gw-2", "edge-2"} <= set(found)
    assert found["edge-2"].environment["EDGE_METRICS_PORT"] == "0"
    for edge in ("edge", "edge-2"):
        assert found[edge].environment["EDGE_ORDER_SVC"] == "ipv4:127.0.0.1:50052,127.0.0.1:50152"


def test_a_port_that_leaves_no_room_for_replicas_is_refused() -> None:
    with pytest.raises(ValidationError, match="EDGE_PORT: with LOCAL_REPLICAS=3 it can be 65335 at most"):
        LocalSettings.model_validate({"replicas": 3, "edge_port": 65400})
