"""What makes an order the same order: its id, and the fingerprint of its terms. Pure."""

from base64 import b32encode
from hashlib import sha256

from order_svc.order import Terms


def order_id_of(account_id: str, client_order_id: str) -> str:
    """Return the id of an order: a function of account and key, so that the primary key alone makes an order unique.

    26 characters of a-z and 2-7 (128 bits of SHA-256), short enough for a ClOrdID (FIX tag 11) at any venue.
    """
    digest = sha256(f"{account_id}\0{client_order_id}".encode()).digest()[:16]
    return b32encode(digest).decode().rstrip("=").lower()


def fingerprint_of(terms: Terms, *, submit_by_given: bool) -> str:
    """Return what tells two bodies under one key apart: the terms as the client gave them, without what we add."""
    parts = (
        terms.symbol,
        terms.side,
        terms.type,
        terms.time_in_force,
        str(terms.quantity),
        str(terms.limit_price_micros),
        terms.submit_by.isoformat() if submit_by_given and terms.submit_by else "",
    )
    return sha256("\0".join(parts).encode()).hexdigest()[:32]
