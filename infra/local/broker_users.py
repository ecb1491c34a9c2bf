"""Who may say and hear what on NATS: a user for each service with the subjects that it uses, derived from runtime/subjects.py.

`python -m infra.local.broker_users` prints it for other deployments; passwords come from the environment there, too.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runtime.connecting import inbox_of
from runtime.leases import BUCKET
from runtime.subjects import (
    DEAD_LETTERS,
    INSTRUMENTS,
    ORDER_COMMANDS,
    ORDER_REPORTS,
    ORDER_UPDATES,
    QUOTES,
    REVOCATIONS,
    STREAMS,
    TICKS,
    TRADING_STATE,
    live,
    price_replicas,
    quotes_live,
    tokens_revoked,
    trading_state,
)

# Everything: for the operator's own tools, backups and tests.
OPERATOR = "operator"
LEASES = f"KV_{BUCKET}"


@dataclass(frozen=True, slots=True)
class User:
    """A user of the broker, and the subjects (with wildcards) on which it may publish and subscribe."""

    name: str
    says: tuple[str, ...]
    hears: tuple[str, ...]


def users() -> list[User]:
    """Return the services' users and the operator's."""
    return [
        _service(
            "order_svc",
            writes=(ORDER_COMMANDS, ORDER_UPDATES, DEAD_LETTERS),
            pulls=(ORDER_REPORTS,),
            follows=(ORDER_UPDATES,),
            reads=(QUOTES, INSTRUMENTS, TRADING_STATE),
            leases="relay",
            hears=(quotes_live(None), trading_state(), _of(INSTRUMENTS), live(_of(ORDER_UPDATES))),
        ),
        _service(
            "exchange_gw",
            # Commands, too: an operator may have a dead letter put back. Who carries commands out gains nothing by saying them.
            writes=(ORDER_REPORTS, TICKS, INSTRUMENTS, TRADING_STATE, DEAD_LETTERS, ORDER_COMMANDS, REVOCATIONS),
            pulls=(ORDER_COMMANDS,),
            follows=(DEAD_LETTERS,),
            erases=(DEAD_LETTERS,),
            hears=(trading_state(),),
        ),
        _service(
            "price_svc",
            writes=(QUOTES,),
            pulls=(TICKS,),
            reads=(QUOTES, INSTRUMENTS),
            leases="price_svc",
            says=(quotes_live(None), price_replicas()),
            hears=(quotes_live(None), _of(INSTRUMENTS), price_replicas()),
        ),
        _service(
            "edge",
            follows=(ORDER_UPDATES,),
            hears=(quotes_live(None), live(_of(ORDER_UPDATES))),
        ),
        User(OPERATOR, (">",), (">",)),
    ]


def _service(
    name: str,
    *,
    writes: Sequence[str] = (),
    pulls: Sequence[str] = (),
    follows: Sequence[str] = (),
    reads: Sequence[str] = (),
    erases: Sequence[str] = (),
    leases: str = "",
    says: Sequence[str] = (),
    hears: Sequence[str] = (),
) -> User:
    """Return a service's user.

    It writes streams, pulls from them with consumers of its own, follows them (history, the last message of a subject), reads their
    last values, erases single messages, takes leases whose names begin with a word, and says and hears subjects of core NATS.
    Every service may make the streams that are missing; only the owner of one may change it.
    """
    # To itself, too: what comes round proves that a connection hears (runtime/pulse.py).
    may_say = [*says, f"{inbox_of(name)}.>", "$JS.API.INFO", *_makes(name)]
    may_say += [_of(stream) for stream in writes]
    may_say += [subject for stream in pulls for subject in _pulls(stream)]
    may_say += [subject for stream in follows for subject in _follows(stream)]
    may_say += [f"$JS.API.DIRECT.GET.{stream}" for stream in (*reads, REVOCATIONS)]
    may_say += [f"$JS.API.STREAM.MSG.DELETE.{stream}" for stream in erases]
    may_hear = [*hears, f"{inbox_of(name)}.>", tokens_revoked()]
    if leases:
        key = f"$KV.{BUCKET}.{leases}.>"
        may_say += [key, f"$JS.API.STREAM.CREATE.{LEASES}", f"$JS.API.STREAM.INFO.{LEASES}"]
        may_say += [f"$JS.API.DIRECT.GET.{LEASES}.{key}", f"$JS.API.STREAM.MSG.GET.{LEASES}"]
        may_hear.append(key)
    return User(name, tuple(may_say), tuple(may_hear))


def _of(stream: str) -> str:
    """Return the subjects of a stream; each of ours has one, with wildcards."""
    (subject,) = STREAMS[stream].subjects
    return subject


def _makes(name: str) -> Iterable[str]:
    for stream in STREAMS.values():
        yield f"$JS.API.STREAM.CREATE.{stream.name}"
        yield f"$JS.API.STREAM.INFO.{stream.name}"
        if stream.owner == name:
            yield f"$JS.API.STREAM.UPDATE.{stream.name}"


def _pulls(stream: str) -> Iterable[str]:
    yield f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.*"
    yield f"$JS.API.CONSUMER.CREATE.{stream}.>"
    yield f"$JS.API.CONSUMER.MSG.NEXT.{stream}.*"
    yield f"$JS.API.CONSUMER.INFO.{stream}.*"
    yield f"$JS.API.CONSUMER.DELETE.{stream}.*"
    # As nats-server writes them today, and with a domain and an account in front (ADR-42).
    yield f"$JS.ACK.{stream}.>"
    yield f"$JS.ACK.*.*.{stream}.>"


def _follows(stream: str) -> Iterable[str]:
    yield f"$JS.API.CONSUMER.CREATE.{stream}"
    yield f"$JS.API.STREAM.MSG.GET.{stream}"


def password_variable(user: str) -> str:
    """Return the environment variable from which the broker takes a user's password."""
    return f"NATS_PASSWORD_{user.upper()}"


def configuration(found: Sequence[User]) -> str:
    """Return the users as a block of nats-server's configuration; passwords are variables, so that it holds no secret."""
    lines = ["authorization {", "  users: ["]
    for user in found:
        lines += [
            "    {",
            f"      user: {user.name}, password: ${password_variable(user.name)}",
            "      permissions: {",
            f"        publish: {{allow: [{_quoted(user.says)}]}}",
            f"        subscribe: {{allow: [{_quoted(user.hears)}]}}",
            "      }",
            "    }",
        ]
    return "\n".join([*lines, "  ]", "}", ""])


def _quoted(subjects: Iterable[str]) -> str:
    return ", ".join(f'"{subject}"' for subject in subjects)


def environment(passwords: Mapping[str, str]) -> dict[str, str]:
    """Return the passwords (by user) as the variables of `configuration`."""
    # The configuration language would read some bare words as numbers.
    return {password_variable(user): f'"{password}"' for user, password in passwords.items()}


if __name__ == "__main__":
    sys.stdout.write(configuration(users()))
