"""A lease: of several replicas one acts. Kept in NATS KV, where a key that is not renewed disappears by itself.

Time is counted by the holder's own monotonic clock from before it asked, and ends a margin earlier than the broker's count, so a
holder stops acting before another can begin, even if it was frozen (SIGSTOP) meanwhile: the clock runs on. What a lease cannot do
is recall a message that was on its way when the process froze; who acts on a lease fences its writes, too (order_svc.relay).

A broker that was wiped has forgotten who holds what. A waiter notices by the revision, which has gone back, and waits a whole lease
before it acts. A process that starts at that very moment cannot notice: there the fences alone hold.
"""

import asyncio
import math
import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import uuid4

import nats.errors
import nats.js.errors
from nats.js import JetStreamContext, api
from nats.js.kv import KeyValue

from runtime import logs
from runtime.crews import Crew
from runtime.jetstream import Bus, Heard

BUCKET = "LEASES"
TTL_SECONDS = 3.0
# Of the time to live that is not used: clocks run at different speeds, and the holder needs time to stop.
MARGIN = 0.1
ASK_AGAIN_SECONDS = 0.4
RETRY_SECONDS = 0.1

logger = logs.get_logger("runtime.leases")

_ERRORS = (nats.errors.Error, nats.js.errors.Error, TimeoutError)


def new_holder() -> str:
    """Return a name that nobody else has and that tells an operator who it is: machine (in a cluster the pod) and process."""
    return f"{socket.gethostname()}.{os.getpid()}.{uuid4().hex[:8]}"


class LeaseLost(Exception):
    """The lease is not ours, or no longer: stop acting on it."""


class Lease:
    """One thing that one process at a time may do. `name` is a key of letters, digits, "-", "_" and ".".

    Its value in the bucket tells who holds it: `holder`, a name that nobody else has, by default a new one.
    """

    def __init__(self, bus: Bus, name: str, *, ttl_seconds: float = TTL_SECONDS, holder: str = "") -> None:
        self._bus, self._name, self._ttl = bus, name, ttl_seconds
        self._jetstream: JetStreamContext = bus.client.jetstream(timeout=ttl_seconds / 3)
        self._us = (holder or new_holder()).encode()
        self._bucket: KeyValue | None = None
        self._revision = 0
        # By the monotonic clock: until when it is ours, and from when on it may be used.
        self._until = self._from = 0.0
        # The last revision at which another had it; 0 when we were the last to have it.
        self._others = 0
        self._freed = asyncio.Event()
        # Whether it may be ours without our knowing.
        self._is_unclear = False

    @property
    def held(self) -> bool:
        """Tell whether it is ours at this moment; costs one look at the clock, so look before every act."""
        return self._from <= time.monotonic() < self._until

    def require(self) -> None:
        """Raise LeaseLost unless it is ours at this moment."""
        if not self.held:
            raise LeaseLost(f"the lease {self._name} is not ours")

    async def rule(self, reign: Callable[[], Awaitable[None]]) -> None:
        """Run `reign` whenever the lease is ours, for ever; it is canceled when the lease is lost.

        A reign that finds out by itself raises LeaseLost; what else it raises comes out of here. When this is canceled the lease is
        given back, so that another takes over at once.
        """
        async with self._bus.listen(f"$KV.{BUCKET}.{self._name}", self._hear):
            while True:
                try:
                    await self._acquire()
                except asyncio.CancelledError:
                    await self._withdraw()
                    raise
                logger.info("lease taken", lease=self._name)
                try:
                    await self._keep_during(reign)
                finally:
                    await self._release()
                logger.warning("lease lost", lease=self._name)

    async def _keep_during(self, reign: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await reign()
            raise LeaseLost("the reign has ended by itself")

        async def keep() -> None:
            await self._keep()
            raise LeaseLost(f"the lease {self._name} is over")

        async with Crew() as crew:
            crew.spawn(run(), name=f"reign {self._name}")
            crew.spawn(keep(), name=f"lease {self._name}")
            with suppress(LeaseLost):
                await crew.first_failure()

    async def _hear(self, heard: Heard) -> None:
        if heard.headers.get("KV-Operation"):
            self._freed.set()

    async def _acquire(self) -> None:
        while not await self._take():
            self._freed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(ASK_AGAIN_SECONDS):
                    await self._freed.wait()
        if (rest := self._from - time.monotonic()) > 0:
            logger.warning(
                "the broker has forgotten who held the lease, waiting", lease=self._name, seconds=round(rest, 1)
            )
            await self._keep(until=self._from)

    async def _take(self) -> bool:
        asked = time.monotonic()
        try:
            bucket = await self._open_bucket()
            try:
                entry = await bucket.get(self._name)
            except nats.js.errors.KeyNotFoundError:
                self._is_unclear = True
                self._revision = await bucket.create(self._name, self._us)
                self._is_unclear = False
            else:
                self._others = entry.revision or 0
                return False
        except nats.js.errors.KeyWrongLastSequenceError:
            return False
        except _ERRORS as error:
            self._bucket = None
            logger.warning("lease not asked for, broker away", lease=self._name, error=repr(error))
            return False
        self._until = asked + self._ttl * (1 - MARGIN)
        self._from = asked + self._ttl if self._revision <= self._others else asked
        self._others = 0
        return True

    async def _withdraw(self) -> None:
        """Give back what was asked for and perhaps given, when we do not want it any more."""
        if self._bucket is None or not (self._is_unclear or time.monotonic() < self._until):
            return
        self._is_unclear, self._until = False, 0.0
        with suppress(*_ERRORS):
            entry = await self._bucket.get(self._name)
            if entry.value == self._us:
                await self._bucket.delete(self._name, last=entry.revision)

    async def _open_bucket(self) -> KeyValue:
        if self._bucket is None:
            config = api.KeyValueConfig(bucket=BUCKET, ttl=self._ttl, history=1, replicas=self._bus.layout.replicas)
            try:
                self._bucket = await self._jetstream.create_key_value(config)
            except nats.js.errors.BadRequestError:
                # It is there with another time to live; the shorter one is safe.
                self._bucket = await self._jetstream.key_value(BUCKET)
                self._ttl = min(self._ttl, (await self._bucket.status()).ttl or self._ttl)
        return self._bucket

    async def _keep(self, *, until: float = math.inf) -> None:
        """Renew the lease until it is lost, or until a time of the monotonic clock."""
        now = time.monotonic()
        renew_at = now + self._ttl / 3
        while now < min(self._until, until):
            await asyncio.sleep(min(renew_at, self._until, until) - now)
            now = time.monotonic()
            if renew_at <= now < self._until:
                renew_at = now + await self._renew(now)
                now = time.monotonic()

    async def _renew(self, asked: float) -> float:
        """Ask for another time to live and return when to ask again; what cannot be had leaves the end as it was."""
        try:
            async with asyncio.timeout(self._until - asked):
                bucket = await self._open_bucket()
                try:
                    self._revision = await bucket.update(self._name, self._us, last=self._revision)
                except nats.js.errors.KeyWrongLastSequenceError:
                    # A renewal whose receipt was lost has moved the revision; any other hand on it has taken the lease.
                    entry = await bucket.get(self._name)
                    if entry.value == self._us:
                        self._revision = entry.revision or 0
                        return 0.0
                    raise
        except (nats.js.errors.KeyWrongLastSequenceError, nats.js.errors.KeyNotFoundError):
            self._until = 0.0
            return 0.0
        except _ERRORS as error:
            logger.warning("lease not renewed", lease=self._name, error=repr(error))
            return RETRY_SECONDS
        self._until = asked + self._ttl * (1 - MARGIN)
        return self._ttl / 3

    async def _release(self) -> None:
        """Give it back if it is ours, so that another need not wait for its end."""
        if time.monotonic() >= self._until or self._bucket is None:
            return
        self._until = 0.0
        try:
            await self._bucket.delete(self._name, last=self._revision)
        except _ERRORS as error:
            logger.warning("lease not given back, it ends by itself", lease=self._name, error=repr(error))


class _Done(Exception):
    """The work is done, the lease can go."""


async def run_alone(lease: Lease, work: Callable[[], Awaitable[None]]) -> None:
    """Run some work while the lease is ours, wait for it first, and give it back. What the work raises comes out.

    Work that outlives the lease, as its process was frozen, begins anew.
    """

    async def reign() -> None:
        await work()
        raise _Done

    with suppress(_Done):
        await lease.rule(reign)
