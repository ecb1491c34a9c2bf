"""WebSocket frames as bytes (RFC 6455 §5.2). A server's frames carry no mask, so one client's bytes are every client's. Pure."""

_TEXT_AND_LAST = b"\x81"
_SHORT = 125
_MIDDLE = 0xFFFF


def framed(text: bytes) -> bytes:
    """Return one whole text frame that a server sends; `text` is UTF-8."""
    length = len(text)
    if length <= _SHORT:
        return b"%b%c%b" % (_TEXT_AND_LAST, length, text)
    if length <= _MIDDLE:
        return b"%b\x7e%b%b" % (_TEXT_AND_LAST, length.to_bytes(2, "big"), text)
    return b"%b\x7f%b%b" % (_TEXT_AND_LAST, length.to_bytes(8, "big"), text)
