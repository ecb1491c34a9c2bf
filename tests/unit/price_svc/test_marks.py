from price_svc.marks import Marks


def test_the_safe_place_is_one_that_was_heard_a_round_of_repetitions_ago() -> None:
    marks = Marks()
    for second in range(30):
        marks.hear(3, 100 + second, float(second))

    assert 100 + 30 - 2 * 6 <= marks.safe(3) + 1 <= 100 + 30 - 6
    assert marks.safe(4) == 0


def test_what_is_known_for_sure_is_a_safe_place_at_once() -> None:
    marks = Marks()
    marks.set(3, 100, 0.0)

    assert marks.safe(3) == 100


def test_a_stream_that_counts_anew_is_followed() -> None:
    marks = Marks()
    marks.set(3, 100, 0.0)
    marks.hear(3, 0, 1.0)
    assert marks.safe(3) == 100

    marks.hear(3, 5, 2.0)

    assert marks.safe(3) == 5
