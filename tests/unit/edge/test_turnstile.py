"""Who is in, from where, and who is still on the way in."""

import pytest

from edge.errors import TooManyConnections
from edge.turnstile import Addresses, Turnstile


class Guest:
    """A connection."""

    def __init__(self) -> None:
        self.address, self.is_cut = "", False

    def cut(self) -> None:
        self.is_cut = True


def a_turnstile(*, sockets: int = 0, each: int = 0, handshakes: int = 0) -> Turnstile:
    return Turnstile(max_sockets=sockets, max_address_sockets=each, max_handshakes=handshakes)


def test_an_address_has_only_so_many_and_others_come_in_all_the_same() -> None:
    turnstile, guests = a_turnstile(each=2), [Guest() for _ in range(4)]
    turnstile.enter(guests[0], "192.0.2.1")
    turnstile.enter(guests[1], "192.0.2.1")

    with pytest.raises(TooManyConnections) as refused:
        turnstile.enter(guests[2], "192.0.2.1")
    assert refused.value.metadata == {"scope": "address", "limit": "2"}
    turnstile.enter(guests[3], "192.0.2.2")

    turnstile.leave(guests[0])
    turnstile.leave(guests[0])
    turnstile.leave(guests[2])
    turnstile.enter(guests[2], "192.0.2.1")
    assert turnstile.sockets == 3


def test_a_full_process_lets_nobody_in() -> None:
    turnstile = a_turnstile(sockets=1)
    turnstile.enter(Guest(), "192.0.2.1")

    with pytest.raises(TooManyConnections) as refused:
        turnstile.enter(Guest(), "192.0.2.2")
    assert refused.value.metadata["scope"] == "process"
    assert refused.value.retry_after_seconds


def test_of_too_many_that_say_nothing_the_oldest_is_cut() -> None:
    turnstile, guests = a_turnstile(handshakes=2), [Guest() for _ in range(4)]
    turnstile.knock(guests[0])
    turnstile.knock(guests[1])
    turnstile.settle(guests[0])
    turnstile.knock(guests[2])
    turnstile.knock(guests[3])

    assert [guest.is_cut for guest in guests] == [False, True, False, False]


@pytest.mark.parametrize(
    ("peer", "external", "forwarded", "counted"),
    [
        ("192.0.2.1", "", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.9", "198.51.100.9", "192.0.2.1"),
        ("10.0.0.5", "198.51.100.9", "203.0.113.7", "198.51.100.9"),
        ("10.0.0.5", "", "203.0.113.7, 198.51.100.9", "198.51.100.9"),
        ("10.0.0.5", "", "203.0.113.7, 198.51.100.9, 10.0.0.6", "198.51.100.9"),
        ("10.0.0.5", "", "", "10.0.0.5"),
        ("10.0.0.5", "", "nonsense", "10.0.0.5"),
        ("::ffff:10.0.0.5", "198.51.100.9", "", "198.51.100.9"),
        ("2001:db8:1:2:3:4:5:6", "", "", "2001:db8:1:2::/64"),
        ("", "", "", ""),
    ],
)
def test_only_a_trusted_proxy_says_where_a_client_comes_from(
    peer: str, external: str, forwarded: str, counted: str
) -> None:
    assert Addresses(["10.0.0.0/8"]).of(peer, external=external, forwarded=forwarded) == counted
