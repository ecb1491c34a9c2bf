"""The venue's words as facts: only what they prove, the same words the same fact."""

import pytest

from exchange_gw import answers
from exchange_gw.exchange import ChangeRefused, ExecType, OrdStatus, Unsupported
from exchange_gw.report import Kind, Source
from tests.unit.exchange_gw.factories import NOON, a_command, a_status, an_execution, an_unknown


def kinds(execution: object) -> list[Kind]:
    return [fact.kind for fact in answers.facts_of(execution, NOON)]  # type: ignore[arg-type]  # executions, all


@pytest.mark.parametrize(
    ("exec_type", "kind"),
    [
        (ExecType.NEW, Kind.PLACED),
        (ExecType.FILL, Kind.FILL),
        (ExecType.CANCELED, Kind.CANCELED),
        (ExecType.REPLACED, Kind.REPLACED),
        (ExecType.EXPIRED, Kind.EXPIRED),
        (ExecType.BUST, Kind.BUST),
        (ExecType.CORRECTION, Kind.CORRECTION),
    ],
)
def test_what_happened_is_one_fact(exec_type: ExecType, kind: Kind) -> None:
    assert kinds(an_execution(exec_type)) == [kind]


def test_what_only_may_happen_is_no_fact() -> None:
    assert kinds(an_execution(ExecType.OTHER, status=OrdStatus.PENDING_CANCEL)) == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (OrdStatus.NEW, Kind.PLACED),
        (OrdStatus.PARTIALLY_FILLED, Kind.PLACED),
        (OrdStatus.FILLED, Kind.PLACED),
        (OrdStatus.PENDING_CANCEL, Kind.PLACED),
        (OrdStatus.CANCELED, Kind.CANCELED),
        (OrdStatus.EXPIRED, Kind.EXPIRED),
        (OrdStatus.REJECTED, Kind.REJECTED),
    ],
)
def test_a_status_proves_what_it_says_and_makes_no_fills(status: OrdStatus, kind: Kind) -> None:
    [fact] = answers.facts_of(a_status(status, cumulative_quantity=4, refusal="ANY"), NOON)

    assert (fact.kind, fact.cumulative_quantity, fact.exec_id, fact.last_quantity) == (kind, 4, "", 0)
    assert fact.is_answer


def test_pending_new_and_unknown_prove_nothing() -> None:
    assert kinds(a_status(OrdStatus.PENDING_NEW)) == []
    assert kinds(an_unknown()) == []


def test_a_status_under_a_new_name_proves_the_change() -> None:
    facts = answers.facts_of(a_status(cl_ord_id="o1-2", quantity=7, price_micros=5), NOON)

    assert [fact.kind for fact in facts] == [Kind.PLACED, Kind.REPLACED]
    assert (facts[1].replace_number, facts[1].new_quantity, facts[1].new_limit_price_micros) == (2, 7, 5)


def test_a_refused_repetition_rejects_nothing() -> None:
    assert kinds(an_execution(ExecType.REJECTED, status=OrdStatus.REJECTED, refusal="DUPLICATE_ORDER")) == []


def test_the_same_words_are_the_same_fact_and_other_fills_are_others() -> None:
    live, asked = an_execution(), a_status()
    fills = [an_execution(ExecType.FILL, exec_id=exec_id) for exec_id in ("E1", "E1", "E2")]

    assert answers.facts_of(live, NOON)[0].report_id == answers.facts_of(asked, NOON)[0].report_id
    ids = [answers.facts_of(fill, NOON)[0].report_id for fill in fills]
    assert ids[0] == ids[1] != ids[2]


def test_a_fill_carries_its_shares_and_price() -> None:
    fill = an_execution(
        ExecType.FILL, exec_id="E7", last_quantity=3, last_price_micros=190_000_000, cumulative_quantity=5
    )

    [fact] = answers.facts_of(fill, NOON)

    assert (fact.exec_id, fact.last_quantity, fact.last_price_micros, fact.cumulative_quantity) == (
        "E7", 3, 190_000_000, 5,
    )  # fmt: skip
    assert (fact.order_id, fact.exchange_order_id, fact.exchange_time) == ("o1", "X1", NOON)


def test_who_canceled_is_told() -> None:
    asked = an_execution(ExecType.CANCELED, cl_ord_id="o1-cabc", orig_cl_ord_id="o1")
    unasked = an_execution(ExecType.CANCELED)

    def source(execution: object, *, cancel_asked: bool = False) -> Source:
        [fact] = answers.facts_of(execution, NOON, cancel_asked=cancel_asked)  # type: ignore[arg-type]  # see above
        assert fact.reason is not None
        return fact.reason.source

    assert source(asked) is Source.USER
    assert source(unasked) is Source.EXCHANGE
    assert source(a_status(OrdStatus.CANCELED), cancel_asked=True) is Source.USER


def test_a_refused_change_names_its_command() -> None:
    refused = ChangeRefused(cl_ord_id="o1-2", orig_cl_ord_id="o1", is_replace=True, refusal="TOO_LATE", text="gone")

    fact = answers.fact_of_refused_change(refused, "c1", NOON)

    assert fact is not None
    assert (fact.kind, fact.command_id, fact.replace_number) == (Kind.REPLACE_REJECTED, "c1", 2)
    assert fact.reason is not None
    assert (fact.reason.code, fact.reason.source, fact.reason.message) == ("TOO_LATE", Source.EXCHANGE, "gone")


def test_a_refused_repetition_of_a_change_refuses_nothing() -> None:
    refused = ChangeRefused(cl_ord_id="o1-2", orig_cl_ord_id="o1", is_replace=True, refusal="DUPLICATE_ORDER")

    assert answers.fact_of_refused_change(refused, "c1", NOON) is None


@pytest.mark.parametrize(
    ("message_type", "kind"),
    [("D", Kind.REJECTED), ("F", Kind.CANCEL_REJECTED), ("G", Kind.REPLACE_REJECTED), ("H", None)],
)
def test_a_message_that_the_venue_cannot_take_is_a_refusal(message_type: str, kind: Kind | None) -> None:
    event = Unsupported(message_type=message_type, name="o1", code="FIELD_MISSING", text="tag 44")

    fact = answers.fact_of_unsupported(event, a_command(), NOON)

    assert (fact.kind if fact else None) is kind
