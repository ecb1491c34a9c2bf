"""What the protos say of messages and fields, in words: the comment above each. The generated code does not carry them."""

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "protos" / "trading" / "v1"
# The protos are kept in form by `buf format`, so a line is one thing.
_OPENS = re.compile(r"(?:message|enum|service|oneof|rpc|option)\b\s*\(?(\w+).*\{$")
_FIELD = re.compile(r"(?:repeated |optional )?[\w.<>, ]+ (\w+) = \d+")


@cache
def comments() -> dict[str, str]:
    """Return the comment of each message ("Order") and field ("Order.order_id") of all protos."""
    found: dict[str, str] = {}
    for file in sorted(FOLDER.glob("*.proto")):
        _read(file.read_text(encoding="utf-8").splitlines(), found)
    return found


def _read(lines: list[str], found: dict[str, str]) -> None:
    inside: list[str] = []
    above: list[str] = []
    for line in map(str.strip, lines):
        if line.startswith("//"):
            above.append(line.removeprefix("//").strip())
            continue
        opens, field = _OPENS.match(line), _FIELD.match(line)
        named = opens or field
        if named and above:
            found[".".join([*inside, named[1]])] = " ".join(above)
        above = []
        if opens:
            inside.append(opens[1])
        elif line.startswith("}") and inside:
            inside.pop()
