"""Who of several replicas takes which partitions: even shares, few moves, the same answer everywhere. Pure."""

from collections.abc import Collection
from hashlib import blake2b


def shares(replicas: Collection[str], partitions: int) -> dict[str, frozenset[int]]:
    """Return the partitions of each replica; none has more than one above another.

    Each partition goes to the replica that has room and ranks highest for it (rendezvous hashing with bounded load).
    """
    if not replicas:
        return {}
    fewest, rest = divmod(partitions, len(replicas))
    taken: dict[str, set[int]] = {replica: set() for replica in sorted(replicas)}
    for partition in range(partitions):
        full = sum(len(share) > fewest for share in taken.values())
        most = fewest + 1 if full < rest else fewest
        open_to = [replica for replica, share in taken.items() if len(share) < most]
        taken[max(open_to, key=lambda replica: _rank(replica, partition))].add(partition)
    return {replica: frozenset(share) for replica, share in taken.items()}


def _rank(replica: str, partition: int) -> bytes:
    return blake2b(f"{replica}:{partition}".encode(), digest_size=8).digest()
