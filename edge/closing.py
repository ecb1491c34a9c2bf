"""Why the edge closes a socket: the close codes of the protocol. 4000 to 4499 mean come again, 4500 to 4999 mean do not."""

from enum import Enum


class Close(Enum):
    """A close code and the words that go with it."""

    SHUTDOWN = (4001, "the server restarts, connect again")
    SLOW_READER = (4008, "too much is unread, connect again and read faster")
    STATE_LOST = (4010, "the position of your order updates is void, connect and subscribe again")
    TOKEN_REVOKED = (4503, "the token was revoked, connect again only with a new one")
    FLOODING = (4508, "too many pings, fragments or frames at once")
    TOKEN_EXPIRED = (4401, "the token has expired, connect again with a new one")
    SILENT = (1011, "nothing came from you, not even a pong")
    BROKEN = (4011, "something broke on our side, connect again")
    NOT_AUTHENTICATED = (4502, "no token came in time")

    @property
    def code(self) -> int:
        """The number in the close frame."""
        return self.value[0]

    @property
    def words(self) -> str:
        """The reason in the close frame."""
        return self.value[1]
