"""The keys that sign request ids, and what may be decided with them.

A process that has not seen the newest key cannot distinguish an id of that key from a forged
one. So an id
is called forged only with keys that were read a short time ago; else they are read first.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol, TypeVar

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.id_keys import SERVICE, KeyReader, KeyVersion
from ptu_optimizer.telemetry import logger

from .ids import ForgedId, GroupId, IdMint, RequestId

_log = logger("id_keys")

T = TypeVar("T")


MINTS_AFTER_SECONDS = 1_800.0
"""A version signs ids once it is this old. By then every process has read it and verifies it: the
sum of DECIDES_WITHIN_SECONDS and a margin for clocks that differ."""
REFRESH_AFTER_SECONDS = 600.0
"""Between two reads of the versions, while ids are used."""
DECIDES_WITHIN_SECONDS = 1_200.0
"""How old the last good read may be when an id is called forged, or a new one is signed."""
WAIT_SECONDS = 5.0
"""How long one caller waits for a read."""
READ_SECONDS = 30.0
"""After this a read that hangs is given up, so that a later caller starts another one."""
PAUSE_SECONDS = 2.0
"""After a read that failed. Callers who come in this time are refused without asking the vault."""
REPEAT_WARNING_SECONDS = 60.0
"""Between two lines in the log about reads that fail."""


class KeyState(Enum):
    """What `GET /health?ready=1` shows of the keys."""

    SETTING = "setting"
    """The key stands in REQUEST_ID_KEY."""
    UNREAD = "unread"
    """Nobody has needed a key yet."""
    READ = "read"
    STALE = "stale"
    """The last good read is too old to call an id forged, or to sign one without reading first."""
    UNREADABLE = "unreadable"
    """No key is known, and the last read failed."""


def in_order(versions: Sequence[KeyVersion], *, now: float) -> list[bytes]:
    """The keys, the one that signs first: the newest that every process has read, else the
    oldest."""
    by_age = sorted(versions, key=lambda version: version.created_at)
    known_everywhere = [v for v in by_age if now - v.updated_at >= MINTS_AFTER_SECONDS]
    signing = known_everywhere[-1] if known_everywhere else by_age[0]
    return [signing.key, *(v.key for v in reversed(by_age) if v is not signing)]


class Ids(Protocol):
    """Issues ids and decides which are genuine. Every method raises DependencyUnavailable while
    that cannot be known."""

    @property
    def state(self) -> KeyState: ...

    async def mint(self) -> IdMint:
        """The keys to sign a new id with."""
        ...

    async def group(self, text: str, *, tenant: str = "") -> GroupId:
        """Raises ForgedId, also for a genuine id of another tenant."""
        ...

    async def request(self, text: str, *, tenant: str = "") -> RequestId:
        """Raises ForgedId, also for a genuine id of another tenant."""
        ...


class FixedIds:
    """Keys that do not change while this process lives: those of a setting."""

    state = KeyState.SETTING

    def __init__(self, mint: IdMint) -> None:
        self._mint = mint

    async def mint(self) -> IdMint:
        return self._mint

    async def group(self, text: str, *, tenant: str = "") -> GroupId:
        return self._mint.parse_group(text, tenant=tenant)

    async def request(self, text: str, *, tenant: str = "") -> RequestId:
        return self._mint.parse_request(text, tenant=tenant)


class RotatingIds:
    """Keys that are read at their first use and again from time to time.

    All callers share one read, which goes on when a caller is cancelled or has waited long enough.
    A read that fails leaves the keys that are known.
    """

    def __init__(self, *, reader: KeyReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._versions: Sequence[KeyVersion] = ()
        self._mint: IdMint | None = None
        self._keys: list[bytes] = []
        self._read_at = -math.inf
        self._failure: str | None = None
        """Why the last read failed."""
        self._next_read = -math.inf
        self._warned_at = -math.inf
        self._reading: asyncio.Task[None] | None = None

    @property
    def state(self) -> KeyState:
        if self._age() <= DECIDES_WITHIN_SECONDS:
            return KeyState.READ
        if self._versions:
            return KeyState.STALE
        return KeyState.UNREAD if self._failure is None else KeyState.UNREADABLE

    async def mint(self) -> IdMint:
        """Without a read of late the known keys serve: an id of theirs is known everywhere."""
        try:
            await self._be_current()
        except DependencyUnavailable:
            if not self._versions:
                raise
        return self._current()

    async def group(self, text: str, *, tenant: str = "") -> GroupId:
        return await self._genuine(lambda mint: mint.parse_group(text, tenant=tenant))

    async def request(self, text: str, *, tenant: str = "") -> RequestId:
        return await self._genuine(lambda mint: mint.parse_request(text, tenant=tenant))

    async def _genuine(self, parse: Callable[[IdMint], T]) -> T:
        if self._versions:
            self._refresh_if_due()
            try:
                return parse(self._current())
            except ForgedId:
                if self._age() <= DECIDES_WITHIN_SECONDS:
                    raise
        await self._be_current()
        return parse(self._current())

    def _current(self) -> IdMint:
        """The mint of now: a version begins to sign when it is old enough, without a read."""
        keys = in_order(self._versions, now=self._clock.now())
        if self._mint is None or keys != self._keys:
            self._mint, self._keys = IdMint(*keys), keys
        return self._mint

    def _age(self) -> float:
        return self._clock.monotonic() - self._read_at

    # --- reading ---------------------------------------------------------------------------------

    async def _be_current(self) -> None:
        """Return with keys that decide. Raises DependencyUnavailable when WAIT_SECONDS are over."""
        self._refresh_if_due()
        if self._age() <= DECIDES_WITHIN_SECONDS:
            return
        if self._reading is not None:
            # wait() leaves the read alone, whatever becomes of this caller
            await asyncio.wait({self._reading}, timeout=WAIT_SECONDS)
            if self._age() <= DECIDES_WITHIN_SECONDS:
                return
        reason = f"the key of request ids was not read within {WAIT_SECONDS:.0f} s"
        raise DependencyUnavailable(SERVICE, self._failure or reason)

    def _refresh_if_due(self) -> None:
        """Start a read if the keys are old and none is under way."""
        if (
            self._reading is None
            and self._age() > REFRESH_AFTER_SECONDS
            and self._clock.monotonic() >= self._next_read
        ):
            self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(READ_SECONDS):
                versions = await self._reader.read()
        except DependencyUnavailable as error:
            self._failed(error.reason)
        except TimeoutError:
            self._failed(f"no answer within {READ_SECONDS:.0f} s")
        except asyncio.CancelledError:
            self._failed("the read was cancelled")  # by a library: the next caller reads again
            raise
        except Exception as error:
            _log.exception("reading the key of request ids failed unexpectedly")
            self._failed(type(error).__name__)
        else:
            if self._failure is not None:
                _log.info("the key of request ids is read", extra={"versions": len(versions)})
            self._versions = versions
            self._read_at = self._clock.monotonic()
            self._failure = None
        finally:
            self._reading = None

    def _failed(self, reason: str) -> None:
        now = self._clock.monotonic()
        self._failure = reason
        self._next_read = now + PAUSE_SECONDS
        if now - self._warned_at >= REPEAT_WARNING_SECONDS:
            self._warned_at = now
            _log.warning(
                "the key of request ids cannot be read",
                extra={"reason": reason, "known": len(self._versions)},
            )
