"""Keys of request ids: one shared read, a rotation that no process sees too late, and no id called
forged by a process that has not read the keys of late."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.id_keys import KeyVersion
from ptu_optimizer.requests.id_keys import (
    DECIDES_WITHIN_SECONDS,
    MINTS_AFTER_SECONDS,
    PAUSE_SECONDS,
    READ_SECONDS,
    REFRESH_AFTER_SECONDS,
    WAIT_SECONDS,
    FixedIds,
    KeyState,
    RotatingIds,
    in_order,
)
from ptu_optimizer.requests.ids import ForgedId, IdMint
from tests.support.id_keys import NEW, OLD, FakeVault, group_of, version

OLDER = b"a key of the year before"
HOUR = 3_600.0


def ids_of(vault: FakeVault, *, clock: VirtualClock | None = None) -> RotatingIds:
    return RotatingIds(reader=vault, clock=clock or VirtualClock())


async def signer_of(ids: RotatingIds) -> bytes:
    """Which key signs now."""
    mint = await ids.mint()
    group = mint.mint(created_at=EPOCH, ends_at=EPOCH + 60, count=1)
    for key in (OLDER, OLD, NEW):
        try:
            IdMint(key).parse_group(group.text)
        except ForgedId:
            continue
        return key
    raise AssertionError("signed with a key of nobody")


# --- which key signs -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("versions", "order"),
    [
        pytest.param([version(OLD)], [OLD], id="one"),
        pytest.param(
            [version(OLD), version(NEW, created_at=-MINTS_AFTER_SECONDS)],
            [NEW, OLD],
            id="old enough",
        ),
        pytest.param(
            [version(OLD), version(NEW, created_at=1 - MINTS_AFTER_SECONDS)],
            [OLD, NEW],
            id="one second too young",
        ),
        pytest.param(
            [version(NEW, created_at=-60), version(OLD, created_at=-120)],
            [OLD, NEW],
            id="none is old enough: the oldest",
        ),
        pytest.param(
            [version(OLDER), version(NEW, created_at=-HOUR, updated_at=-60), version(OLD)],
            [OLD, NEW, OLDER],
            id="made an hour ago and enabled just now",
        ),
    ],
)
def test_the_newest_key_signs_that_every_process_has_read(
    versions: Sequence[KeyVersion], order: list[bytes]
) -> None:
    assert in_order(versions, now=EPOCH) == order


def test_a_process_that_decides_has_read_a_version_before_another_one_signs_with_it() -> None:
    assert MINTS_AFTER_SECONDS >= DECIDES_WITHIN_SECONDS + 300, "five minutes for clocks"
    assert DECIDES_WITHIN_SECONDS > REFRESH_AFTER_SECONDS + READ_SECONDS


@in_virtual_time
async def test_a_new_version_begins_to_sign_without_a_restart() -> None:
    clock = VirtualClock()
    vault = FakeVault(version(OLD), version(NEW, created_at=0.1))
    ids = ids_of(vault, clock=clock)
    assert await signer_of(ids) == OLD
    await clock.sleep(MINTS_AFTER_SECONDS + 1)
    assert await signer_of(ids) == NEW
    assert (await ids.group(group_of(OLD).text)).count == 1, "ids given out before stay known"


# --- one read ------------------------------------------------------------------------------------


@in_virtual_time
async def test_nothing_is_read_before_somebody_needs_a_key() -> None:
    vault = FakeVault()
    ids = ids_of(vault)
    assert ids.state is KeyState.UNREAD
    await asyncio.sleep(HOUR)
    assert vault.reads == 0


@in_virtual_time
async def test_callers_of_a_cold_process_share_one_read() -> None:
    vault = FakeVault(seconds=2.0)
    ids = ids_of(vault)
    text = group_of(OLD).text
    await asyncio.gather(*(ids.group(text) for _ in range(40)), *(ids.mint() for _ in range(24)))
    assert vault.reads == 1
    assert ids.state is KeyState.READ


@in_virtual_time
async def test_a_caller_that_is_cancelled_does_not_end_the_read_of_the_others() -> None:
    vault = FakeVault(seconds=2.0)
    ids = ids_of(vault)
    first = asyncio.create_task(ids.mint())
    await asyncio.sleep(1.0)
    first.cancel()
    await ids.mint()
    assert vault.reads == 1


@in_virtual_time
async def test_a_caller_waits_for_five_seconds_and_the_read_goes_on_without_it() -> None:
    vault = FakeVault(seconds=WAIT_SECONDS + 3)
    ids = ids_of(vault)
    with pytest.raises(DependencyUnavailable, match="was not read within 5 s"):
        await ids.mint()
    assert VirtualClock().monotonic() == WAIT_SECONDS
    await ids.mint()
    assert (VirtualClock().monotonic(), vault.reads) == (WAIT_SECONDS + 3, 1)


@in_virtual_time
async def test_a_read_that_hangs_is_given_up_and_a_later_caller_reads_again() -> None:
    vault = FakeVault(seconds=10 * HOUR)
    ids = ids_of(vault)
    with pytest.raises(DependencyUnavailable):
        await ids.mint()
    await asyncio.sleep(READ_SECONDS + PAUSE_SECONDS)
    vault.seconds = 0.0
    await ids.mint()
    assert vault.reads == 2


@in_virtual_time
async def test_a_vault_that_refuses_is_asked_again_after_a_pause_and_not_by_each_caller() -> None:
    vault = FakeVault()
    vault.is_away = True
    ids = ids_of(vault)
    for _ in range(50):
        with pytest.raises(DependencyUnavailable, match="ForbiddenByRbac"):
            await ids.mint()
    assert vault.reads == 1
    assert ids.state.value == "unreadable"
    vault.is_away = False
    await asyncio.sleep(PAUSE_SECONDS)
    await ids.mint()
    assert ids.state.value == "read"


class BrokenReader:
    """A reader with a defect, and a library in it that raises CancelledError by itself."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)

    async def read(self) -> Sequence[KeyVersion]:
        if self.errors:
            raise self.errors.pop(0)
        return [version(OLD)]


@pytest.mark.parametrize("error", [ZeroDivisionError(), asyncio.CancelledError()])
@in_virtual_time
async def test_a_defect_in_a_read_is_no_end_of_reading(error: BaseException) -> None:
    ids = RotatingIds(reader=BrokenReader(error), clock=VirtualClock())
    with pytest.raises(DependencyUnavailable):
        await ids.mint()
    await asyncio.sleep(PAUSE_SECONDS)
    await ids.mint()


# --- reading again -------------------------------------------------------------------------------


@in_virtual_time
async def test_versions_are_read_again_beside_the_callers_after_ten_minutes() -> None:
    vault = FakeVault()
    ids = ids_of(vault)
    await ids.mint()
    vault.seconds = 3.0
    await asyncio.sleep(REFRESH_AFTER_SECONDS + 1)
    before = VirtualClock().monotonic()
    await ids.mint()
    await ids.group(group_of(OLD).text)
    assert VirtualClock().monotonic() == before, "nobody waits for it"
    await asyncio.sleep(3.0)
    assert vault.reads == 2


@in_virtual_time
async def test_with_a_vault_away_for_an_hour_known_keys_go_on_to_sign_and_to_verify() -> None:
    vault = FakeVault()
    ids = ids_of(vault)
    await ids.mint()
    vault.is_away = True
    for _ in range(60):
        await asyncio.sleep(60)
        assert await signer_of(ids) == OLD
        assert (await ids.request(group_of(OLD).request_id(0))).index == 0
    assert ids.state is KeyState.STALE


@in_virtual_time
async def test_without_a_key_for_an_hour_everything_is_refused_and_nothing_is_forged() -> None:
    vault = FakeVault()
    vault.is_away = True
    ids = ids_of(vault)
    for _ in range(60):
        for asked in (ids.mint(), ids.group(group_of(OLD).text), ids.group("nonsense")):
            with pytest.raises(DependencyUnavailable):
                await asked
        await asyncio.sleep(60)
    vault.is_away = False
    await ids.group(group_of(OLD).text)


@in_virtual_time
async def test_keys_that_were_read_of_late_decide_without_another_read() -> None:
    vault = FakeVault()
    ids = ids_of(vault)
    await ids.mint()
    for _ in range(100):
        with pytest.raises(ForgedId):
            await ids.group(group_of(NEW).text)
    assert vault.reads == 1


@in_virtual_time
async def test_a_process_that_is_behind_reads_before_it_calls_an_id_forged() -> None:
    vault = FakeVault()
    behind = ids_of(vault)
    await behind.mint()
    await asyncio.sleep(DECIDES_WITHIN_SECONDS + 1)
    vault.versions = (version(OLD), version(NEW, created_at=1.0))
    assert (await behind.group(group_of(NEW).text)).count == 1


@in_virtual_time
async def test_a_process_that_is_behind_and_cannot_read_leaves_an_unknown_id_undecided() -> None:
    vault = FakeVault()
    ids = ids_of(vault)
    await ids.mint()
    vault.is_away = True
    await asyncio.sleep(DECIDES_WITHIN_SECONDS + 1)
    with pytest.raises(DependencyUnavailable):
        await ids.group(group_of(NEW).text)
    assert (await ids.group(group_of(OLD).text)).count == 1


@in_virtual_time
async def test_two_processes_never_disagree_through_a_rotation() -> None:
    """One reads whenever it can, the other cannot for as long as an id may be called forged."""
    clock = VirtualClock()
    vault, vault_of_the_other = FakeVault(), FakeVault()
    one, other = ids_of(vault, clock=clock), ids_of(vault_of_the_other, clock=clock)
    await one.mint()
    await other.mint()
    rotated = (version(OLD), version(NEW, created_at=600.0))
    for minute in range(180):
        if minute == 10:
            vault.versions = vault_of_the_other.versions = rotated
        vault_of_the_other.is_away = 9 <= minute < 120
        group = (await one.mint()).mint(created_at=clock.now(), ends_at=clock.now() + 60, count=1)
        try:
            await other.group(group.text)
        except DependencyUnavailable:
            assert minute > 10, "undecided at most, never forged"
        await clock.sleep(60)
    assert await signer_of(other) == NEW


# --- the key of a setting ------------------------------------------------------------------------


async def test_the_key_of_a_setting_signs_and_decides_at_once() -> None:
    ids = FixedIds(IdMint(OLD))
    group = (await ids.mint()).mint(created_at=EPOCH, ends_at=EPOCH + 60, count=2)
    assert (await ids.group(group.text), ids.state) == (group, KeyState.SETTING)
    assert (await ids.request(group.request_id(1))).index == 1
    with pytest.raises(ForgedId):
        await ids.group(group_of(NEW).text)
