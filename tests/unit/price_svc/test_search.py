import pytest

from price_svc.catalogue import Catalogue
from price_svc.page import InvalidPageSize, InvalidPageToken
from price_svc.search import InstrumentIndex, QueryTooLong
from tests.unit.price_svc.examples import an_instrument

INDEX = InstrumentIndex(
    an_instrument(symbol, name)
    for symbol, name in (
        ("AAPL", "Apple Inc."),
        ("APLE", "Apple Hospitality REIT"),
        ("A", "Agilent Technologies"),
        ("BRK.B", "Berkshire Hathaway"),
        ("BAC", "Bank of America"),
        ("BK", "Bank of New York Mellon"),
        ("OR", "L'Oréal"),
        ("PNAP", "Pine Apple Farms"),
    )
)


def found(query: str) -> list[str]:
    return [instrument.symbol for instrument in INDEX.search(query)[0]]


def test_the_symbol_itself_comes_first_then_symbols_that_begin_so_then_names() -> None:
    assert found("a") == ["A", "AAPL", "APLE", "PNAP", "BAC"]


def test_names_that_begin_with_the_word_come_before_names_that_hold_it() -> None:
    assert found("apple") == ["AAPL", "APLE", "PNAP"]


def test_case_accents_and_dots_do_not_matter() -> None:
    assert found("BRKB") == found("brk b") == found("Brk.B") == ["BRK.B"]
    assert found("l'oreal") == ["OR"]


def test_every_word_must_fit() -> None:
    assert found("bank of") == ["BAC", "BK"]
    assert found("new bank") == ["BK"]
    assert found("bank apple") == []


def test_an_empty_query_finds_all_in_symbol_order() -> None:
    assert found(" ") == sorted(found(""))
    assert len(found("")) == len(INDEX)


@pytest.mark.parametrize("query", ["", "a", "b"])
def test_pages_follow_one_another(query: str) -> None:
    collected, token = [], ""
    while True:
        page, token = INDEX.search(query, page_size=2, page_token=token)
        assert len(page) <= 2
        collected += [instrument.symbol for instrument in page]
        if not token:
            break

    assert collected == found(query)


def test_a_page_goes_on_behind_an_instrument_that_is_gone() -> None:
    page, token = INDEX.search("bank", page_size=1)
    assert [instrument.symbol for instrument in page] == ["BAC"]
    smaller = InstrumentIndex([an_instrument("BK", "Bank of New York Mellon"), an_instrument("ZZ", "Zoo")])

    assert [instrument.symbol for instrument in smaller.search("bank", page_token=token)[0]] == ["BK"]


@pytest.mark.parametrize("token", ["x", "!!!", "e30", "WzFd", "W10", "0" * 5_000, "ü"])
def test_a_token_that_we_never_made_is_refused(token: str) -> None:
    with pytest.raises(InvalidPageToken):
        INDEX.search("a", page_token=token)


def test_a_token_of_another_question_is_refused() -> None:
    _, token = INDEX.search("a", page_size=1)

    with pytest.raises(InvalidPageToken):
        INDEX.search("b", page_token=token)


def test_limits_are_told() -> None:
    with pytest.raises(QueryTooLong) as refusal:
        INDEX.search("x" * 65)
    assert refusal.value.metadata == {"limit": "64", "actual": "65"}
    with pytest.raises(InvalidPageSize):
        INDEX.search("a", page_size=-1)
    assert len(INDEX.search("", page_size=100_000)[0]) == len(INDEX)


def test_a_list_replaces_the_one_before_and_only_what_is_new_is_told() -> None:
    catalogue = Catalogue()
    apple, ford = an_instrument(), an_instrument("F", "Ford")

    assert catalogue.take([(0, (apple,)), (1, (ford,))]) == [apple, ford]
    assert catalogue.take([(0, (apple,)), (1, (ford,))]) == []
    halted = an_instrument(tradable=False)
    assert catalogue.take([(0, (halted,))]) == [halted]
    assert catalogue.take([(1, ())]) == []

    assert catalogue.index.get("AAPL") == halted
    assert catalogue.index.get("F") is None


@pytest.mark.parametrize(
    ("query", "symbol"),
    [
        ("aplpe", "AAPL"),
        ("appel", "AAPL"),
        ("agilint", "A"),
        ("hospitaltyy", "APLE"),
        ("berkshire hataway", "BRK.B"),
        ("merica bank", "BAC"),
    ],
)
def test_a_mistyped_word_is_found(query: str, symbol: str) -> None:
    assert found(query)[0] == symbol


def test_what_was_typed_right_comes_before_what_may_be_meant() -> None:
    index = InstrumentIndex(
        [an_instrument("A", "Farms Co"), an_instrument("B", "Farma SA"), an_instrument("C", "My Farms")]
    )

    assert [item.symbol for item in index.search("farms")[0]] == ["A", "C", "B"]


def test_a_short_word_is_taken_at_its_word() -> None:
    assert found("pne") == []


def test_pages_follow_one_another_through_typos() -> None:
    index = InstrumentIndex([an_instrument(f"S{nth}", f"Company{'xyz'[nth % 3]} {nth}") for nth in range(9)])
    collected, token = [], ""
    while True:
        page, token = index.search("companyx", page_size=2, page_token=token)
        collected += [item.symbol for item in page]
        if not token:
            break

    assert collected == [item.symbol for item in index.search("companyx")[0]]
    assert collected[:3] == ["S0", "S3", "S6"]
    assert len(collected) == 9
