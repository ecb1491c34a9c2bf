"""The flaw: an order is found by its id, whoever asks."""

from order_svc.order import Order
from order_svc.store import MongoOrderStore
from tests.faults.mutants import put


def apply() -> None:
    """Put it in."""

    async def get(store: MongoOrderStore, account_id: str, order_id: str) -> Order | None:
        return (await store.find([order_id])).get(order_id)

    put(MongoOrderStore, "get", get)
