from price_svc.board import Board
from price_svc.market import Phase
from price_svc.quote import Quote, State
from tests.unit.price_svc.examples import a_phase, a_tick, at


def state_of(board: Board, symbol: str = "AAPL") -> State:
    quote = board.quote(symbol)
    assert quote is not None
    return quote.state


def a_board_with_a_tick_a_second(symbol: str = "AAPL", *, until: int = 30) -> Board:
    board = Board()
    for second in range(1, until + 1):
        board.apply(a_tick(symbol=symbol, seq=second, time_ns=at(second)), at(second))
    return board


def keep_feed_alive(board: Board, *, since: int, until: int) -> None:
    for second in range(since, until + 1):
        board.apply(a_tick(symbol="MSFT", seq=second, time_ns=at(second)), at(second))


def test_a_tick_makes_a_quote_live() -> None:
    board = a_board_with_a_tick_a_second(until=1)

    assert state_of(board) is State.LIVE


def test_a_symbol_is_stale_after_twenty_usual_gaps() -> None:
    board = a_board_with_a_tick_a_second()
    keep_feed_alive(board, since=31, until=60)

    assert board.sweep(at(49)) == []
    (turned,) = board.sweep(at(51))

    assert (turned.symbol, turned.state, turned.since_ns) == ("AAPL", State.STALE, at(51))
    assert turned.reason == "the symbol is silent for 21 s"


def test_ten_seconds_are_the_least_whatever_the_gap() -> None:
    board = Board()
    for tenth in range(1, 100):
        board.apply(a_tick(seq=tenth, time_ns=at(tenth / 10)), at(tenth / 10))
    for tenth in range(100, 220):
        board.apply(a_tick(symbol="MSFT", seq=tenth, time_ns=at(tenth / 10)), at(tenth / 10))

    assert board.sweep(at(19.8)) == []
    assert [quote.symbol for quote in board.sweep(at(20))] == ["AAPL"]


def test_a_symbol_with_one_tick_is_not_called_silent_soon() -> None:
    board = Board()
    board.apply(a_tick(symbol="F"), at(1))
    keep_feed_alive(board, since=2, until=300)

    assert board.sweep(at(300)) == []


def test_when_the_feed_is_silent_everything_is_stale_and_comes_back() -> None:
    board = a_board_with_a_tick_a_second()
    board.apply(a_tick(symbol="F", time_ns=at(30)), at(30))

    assert {quote.symbol for quote in board.sweep(at(60))} == {"AAPL", "F"}
    assert board.feed_age_ms(at(60)) == 30_000

    back = board.apply(a_tick(seq=99, time_ns=at(61)), at(61))
    assert back is not None
    assert (back.state, back.since_ns, back.reason) == (State.LIVE, at(61), "")


def test_the_gateway_may_say_that_the_feed_is_lost() -> None:
    board = a_board_with_a_tick_a_second()

    (turned,) = board.change(a_phase(Phase.UNKNOWN, time_ns=at(30)), at(30))
    assert (turned.state, turned.reason) == (State.STALE, "the feed is lost")

    board.apply(a_tick(epoch=2, seq=1, time_ns=at(31)), at(31))
    assert state_of(board) is State.LIVE


def test_silence_is_expected_while_the_venue_is_closed() -> None:
    board = a_board_with_a_tick_a_second()

    board.change(a_phase(Phase.CLOSED, time_ns=at(30)), at(30))
    assert board.sweep(at(5_000)) == []

    turned = board.change(a_phase(Phase.OPEN, time_ns=at(5_001)), at(5_001))
    assert [quote.state for quote in turned] == [State.STALE]


def test_a_halt_holds_until_trading_resumes() -> None:
    board = a_board_with_a_tick_a_second()

    (halted,) = board.change(a_phase(Phase.HALTED, symbol="AAPL", reason="news pending"), at(30))
    assert (halted.state, halted.reason, halted.since_ns) == (State.HALTED, "news pending", at(2))

    board.apply(a_tick(seq=31, price_micros=0, bid_micros=5, time_ns=at(31)), at(31))
    assert state_of(board) is State.HALTED

    (resumed,) = board.change(a_phase(Phase.OPEN, symbol="AAPL"), at(32))
    assert resumed.state is State.LIVE


def test_a_trade_in_a_later_life_of_the_feed_ends_a_halt() -> None:
    board = a_board_with_a_tick_a_second()
    board.change(a_phase(Phase.HALTED, symbol="AAPL", epoch=1), at(30))

    board.apply(a_tick(epoch=1, seq=31, time_ns=at(31)), at(31))
    assert state_of(board) is State.HALTED

    board.apply(a_tick(epoch=2, seq=1, time_ns=at(32)), at(32))
    assert state_of(board) is State.LIVE


def test_a_halted_venue_halts_every_symbol() -> None:
    board = a_board_with_a_tick_a_second()

    board.change(a_phase(Phase.HALTED, reason="circuit breaker"), at(30))
    assert state_of(board) is State.HALTED

    board.change(a_phase(Phase.OPEN), at(31))
    assert state_of(board) is State.LIVE


def test_a_backlog_is_as_old_as_it_says() -> None:
    board = Board()

    board.apply(a_tick(seq=1, time_ns=at(1)), at(240))
    board.apply(a_tick(seq=2, time_ns=at(2)), at(240))
    assert state_of(board) is State.STALE
    assert board.feed_age_ms(at(240)) == 238_000
    assert board.feed.venue_now_ns(at(240)) == at(2)

    board.apply(a_tick(seq=3, time_ns=at(240)), at(240))
    assert state_of(board) is State.LIVE


def test_quotes_of_an_owner_are_taken_if_they_are_newer() -> None:
    board = Board()
    told = Quote("AAPL", price_micros=5, epoch=1, seq=3, time_ns=at(1), state=State.LIVE, reason="")

    assert board.hear(told, at(1)) is not None
    assert board.hear(told, at(2)) is None
    assert board.hear(told._replace(seq=2, price_micros=4), at(2)) is None
    assert board.feed_age_ms(at(2)) == 1_000


def test_an_owner_may_know_of_a_halt_and_of_staleness() -> None:
    board = Board()
    told = Quote("AAPL", price_micros=5, epoch=1, seq=3, time_ns=at(1), state=State.LIVE, reason="")
    board.hear(told, at(1))

    halted = board.hear(told._replace(state=State.HALTED, since_ns=at(1), reason="news"), at(2))
    assert halted is not None
    assert (halted.state, halted.reason) == (State.HALTED, "news")
    assert board.sweep(at(3)) == []

    board.hear(told._replace(state=State.STALE), at(3))
    assert state_of(board) is State.STALE
    assert board.sweep(at(3)) == []

    board.hear(told._replace(state=State.LIVE), at(4))
    assert state_of(board) is State.LIVE


def test_a_kept_quote_is_as_old_as_it_says() -> None:
    board = Board()
    kept = Quote("AAPL", price_micros=5, epoch=1, seq=3, time_ns=at(1), state=State.LIVE, reason="")

    board.restore(kept, at(15))

    assert state_of(board) is State.STALE
    assert board.feed_age_ms(at(15)) == 14_000
    assert board.apply(a_tick(epoch=1, seq=3), at(1_000)) is None
    assert board.apply(a_tick(epoch=1, seq=4, time_ns=at(1_000)), at(1_000)) is not None


def test_a_kept_halt_still_holds_unless_it_was_the_venues() -> None:
    kept = Quote("AAPL", epoch=1, seq=3, time_ns=at(1), state=State.HALTED, since_ns=at(1), reason="news")

    board = Board()
    board.restore(kept, at(2))
    board.change(a_phase(Phase.OPEN), at(3))
    assert state_of(board) is State.HALTED

    board = Board()
    board.change(a_phase(Phase.HALTED), at(2))
    board.restore(kept, at(2))
    board.change(a_phase(Phase.OPEN), at(3))
    assert state_of(board) is State.LIVE
