import pytest

from price_svc.sharing import shares

REPLICAS = [f"replica-{number}" for number in range(12)]


@pytest.mark.parametrize("count", range(1, 13))
def test_shares_are_even_and_leave_nothing_out(count: int) -> None:
    found = shares(REPLICAS[:count], 8)

    assert sorted(partition for share in found.values() for partition in share) == list(range(8))
    assert max(map(len, found.values())) - min(map(len, found.values())) <= 1


def test_everybody_comes_to_the_same_answer() -> None:
    assert shares(REPLICAS[:5], 8) == shares(REPLICAS[4::-1], 8)


def test_few_partitions_move_when_one_more_replica_comes() -> None:
    before, after = shares(REPLICAS[:2], 8), shares(REPLICAS[:3], 8)

    kept = sum(len(before[replica] & after[replica]) for replica in before)
    assert kept >= 4


def test_nobody_there_has_nothing() -> None:
    assert shares([], 8) == {}
