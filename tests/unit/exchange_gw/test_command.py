"""Names of requests at the venue."""

from exchange_gw.command import Asks, number_of, order_id_of
from tests.unit.exchange_gw.factories import a_command, at


def test_an_order_is_called_by_its_id_and_a_change_by_its_number() -> None:
    assert a_command().cl_ord_id == "o1"
    assert a_command(Asks.REPLACE, number=2).cl_ord_id == "o1-2"
    assert a_command(Asks.REPLACE, number=2, active_number=1).orig_cl_ord_id == "o1-1"


def test_the_same_cancel_has_the_same_name_and_another_has_another() -> None:
    first, again, other = (a_command(Asks.CANCEL, command_id=key) for key in ("c1", "c1", "c2"))

    assert first.cl_ord_id == again.cl_ord_id
    assert first.cl_ord_id != other.cl_ord_id
    assert first.cl_ord_id not in ("o1", "o1-1")


def test_every_name_leads_back_to_its_order() -> None:
    for command in (a_command(), a_command(Asks.CANCEL), a_command(Asks.REPLACE, number=3)):
        assert order_id_of(command.cl_ord_id) == "o1"
    assert [number_of(name) for name in ("o1", "o1-3", "o1-c0000a1b2")] == [0, 3, 0]


def test_only_a_submission_can_be_late() -> None:
    assert a_command(submit_by=at(0)).is_late(at(1))
    assert not a_command(submit_by=at(1)).is_late(at(1))
    assert not a_command(submit_by=None).is_late(at(1))
    assert not a_command(Asks.CANCEL, submit_by=at(0)).is_late(at(1))
