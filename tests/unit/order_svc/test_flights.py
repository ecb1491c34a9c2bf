"""order_svc/flights.py: an entry is over when the broker has it and its commands had effect, in whatever order one hears of it."""

from bson import ObjectId

from order_svc.flights import Flights


def test_an_entry_without_commands_is_over_when_it_has_landed() -> None:
    flights, entry_id = Flights(), ObjectId()
    flight = flights.begin(entry_id, messages=2, pending=set())

    assert not flights.land_one(flight)
    assert flights.take_over() == []
    assert flights.land_one(flight)
    assert flights.take_over() == [entry_id]


def test_an_entry_with_commands_waits_until_every_order_has_left_pending() -> None:
    flights, entry_id = Flights(), ObjectId()
    flight = flights.begin(entry_id, messages=1, pending={"a", "b"})
    flights.land_one(flight)

    flights.hear_effect("a")
    assert flights.take_over() == []
    flights.hear_effect("b")
    assert flights.take_over() == [entry_id]


def test_an_effect_that_is_heard_of_before_the_receipt_counts() -> None:
    flights, entry_id = Flights(), ObjectId()
    flight = flights.begin(entry_id, messages=1, pending={"a"})

    flights.hear_effect("a")
    assert flights.take_over() == []
    flights.land_one(flight)
    assert flights.take_over() == [entry_id]


def test_what_the_database_says_ends_the_waiting_for_news_that_never_comes() -> None:
    flights, entry_id = Flights(), ObjectId()
    flight = flights.begin(entry_id, messages=1, pending={"a", "b"})
    flights.land_one(flight)

    flights.correct(flight, {"b"})
    assert flight.pending == {"b"}
    flights.correct(flight, set())
    assert flights.take_over() == [entry_id]


def test_a_repetition_is_put_off_ever_longer() -> None:
    flights = Flights()
    flight = flights.begin(ObjectId(), messages=1, pending={"a"})
    flights.land_one(flight)
    first = flight.repeat_at

    flight.put_off()
    second = flight.repeat_at
    flight.put_off()

    assert flight.repeat_at - second > second - first > 0


def test_what_has_landed_and_waits_is_to_be_noted_once() -> None:
    flights = Flights()
    flights.begin(ObjectId(), messages=1, pending={"a"})
    landed = flights.begin(ObjectId(), messages=1, pending={"b"})
    flights.land_one(landed)

    assert flights.unnoted() == [landed]
    landed.noted = True
    assert flights.unnoted() == []
