from price_svc.backlog import Backlog


def test_the_oldest_is_dropped_and_counted() -> None:
    backlog: Backlog[str, list[int]] = Backlog(limit=4, weight=len)
    backlog.put("a", [1, 2])
    backlog.put("b", [3])
    backlog.put("c", [4, 5])

    assert backlog.first(10) == {"b": [3], "c": [4, 5]}
    assert backlog.dropped == 2


def test_an_item_replaces_the_one_with_its_key() -> None:
    backlog: Backlog[str, int] = Backlog(limit=2)
    for value in range(10):
        backlog.put("a", value)

    assert backlog.first(10) == {"a": 9}
    assert backlog.dropped == 0


def test_what_became_newer_while_it_was_written_still_waits() -> None:
    backlog: Backlog[str, list[int]] = Backlog(limit=10)
    backlog.put("a", [1])
    backlog.put("b", [2])
    batch = backlog.first(10)
    backlog.put("a", [3])

    backlog.remove(batch)

    assert backlog.first(10) == {"a": [3]}
