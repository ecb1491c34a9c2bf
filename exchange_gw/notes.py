"""What is noted as sent and not answered, by this gateway or one that had the session before it: somebody has to ask."""

from exchange_gw.command import Asks
from exchange_gw.conversation import Conversation
from exchange_gw.journal import Row
from exchange_gw.ports import Note
from runtime import logs

logger = logs.get_logger("exchange_gw.notes")


class Notes:
    """The notes of one lane's group, which outlive gateways."""

    def __init__(self, conversation: Conversation) -> None:
        self._talk = conversation
        # Batches with a request of which nothing is decided yet; they are looked at again until it is.
        self._undecided: set[str] = set()

    async def take_up(self) -> None:
        """Take up what others have noted. Raises Unavailable.

        A gateway that was frozen may decide and "send" what it has noted after it has lost the session. Its bytes never arrive,
        and only who has the session now can find that out; so a note is not dropped before all in it is decided.
        """
        talk = self._talk
        known = [batch for batch in talk.unanswered.batches if batch not in self._undecided]
        notes = await talk.journal.noted(talk.group, besides=known)
        about = {order_id for note in notes for order_id in note.orders}
        rows = await talk.journal.find(about | {change.order_id for note in notes for change in note.changes})
        undecided = set[str]()
        for note in notes:
            talk.unanswered.begin(note.batch)
            if not self._take_up(note, rows):
                undecided.add(note.batch)
        for note in notes:
            talk.unanswered.complete(note.batch)
        self._hold(undecided)
        if notes:
            logger.debug("taken up", lane=talk.group, notes=len(notes), unanswered=len(talk.unanswered))

    def _take_up(self, note: Note, rows: dict[str, Row]) -> bool:
        """Take up one note; return whether all in it is decided."""
        talk, decided = self._talk, True
        requests = [(order_id, rows[order_id].command) for order_id in note.orders if order_id in rows]
        requests += [(change.order_id, change) for change in note.changes]
        for order_id, command in requests:
            row = rows.get(order_id)
            if row is None and not command.is_known_at_venue:
                decided = False
            elif row is None or row.verdict is None:
                logon = row.logon if row else 0
                talk.unanswered.add(command, logon=logon, batch=note.batch, now=talk.monotonic())
                talk.remember(command)
        return decided and all(order_id in rows for order_id in note.orders)

    def _hold(self, undecided: set[str]) -> None:
        for batch in undecided - self._undecided:
            self._talk.unanswered.begin(batch)
        for batch in self._undecided - undecided:
            self._talk.unanswered.complete(batch)
        self._undecided = undecided

    async def let_go(self) -> None:
        """Drop what another gateway has seen answered while it had the session: it is not noted any more. Raises Unavailable."""
        talk, begun = self._talk, self._talk.monotonic()
        still = {note.batch for note in await talk.journal.noted(talk.group, besides=())}
        for entry in talk.unanswered:
            if entry.batch not in still and entry.since < begun:
                talk.unanswered.settle(entry)

    async def is_in_question(self, order_id: str) -> bool:
        """Tell whether the submission of an order is without an answer, as far as anybody knows. Raises Unavailable."""
        if not self._is_watched(order_id):
            await self.take_up()
        return self._is_watched(order_id)

    def _is_watched(self, order_id: str) -> bool:
        return any(entry.command.asks is Asks.SUBMIT for entry in self._talk.unanswered.of_order(order_id))
