"""Ids are known to be genuine, and say their group's time, end and size, before a read."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.requests.ids import (
    MAX_GROUP_SIZE,
    MAX_LIFETIME_SECONDS,
    REQUESTS_PER_SLICE,
    UNIQUE_BYTES,
    ForgedId,
    GroupId,
    IdMint,
    bucket_of,
    claimed_group,
    slice_of_request,
)

NOW = 1_800_000_000.0
MINT = IdMint(b"a key of this test")
ALPHABET = "0123456789abcdefghijklmnopqrstuv"


def minted(*, count: int = 3, lifetime: float = 86_400.0) -> GroupId:
    return MINT.mint(created_at=NOW, ends_at=NOW + lifetime, count=count)


@given(
    created_at=st.floats(min_value=0, max_value=2**32 - 1),
    lifetime=st.floats(min_value=0, max_value=MAX_LIFETIME_SECONDS - 180),
    count=st.integers(min_value=1, max_value=MAX_GROUP_SIZE),
)
def test_a_group_id_says_what_it_was_minted_with(
    created_at: float, lifetime: float, count: int
) -> None:
    group = MINT.mint(created_at=created_at, ends_at=created_at + lifetime, count=count)
    assert MINT.parse_group(group.text) == group
    assert group.created_at == int(created_at)
    assert group.count == count
    assert 0 <= group.ends_at - (created_at + lifetime) <= 121, "never earlier, minutes are enough"


@given(count=st.integers(1, MAX_GROUP_SIZE), data=st.data())
def test_every_request_id_of_a_group_is_recognised(count: int, data: st.DataObject) -> None:
    group = minted(count=count)
    index = data.draw(st.integers(0, count - 1))
    request = MINT.parse_request(group.request_id(index))
    assert (request.group, request.index) == (group, index)
    assert request.text == group.request_id(index)


def test_two_groups_of_the_same_moment_differ() -> None:
    assert len({minted().text for _ in range(100)}) == 100


def test_group_ids_sort_by_time() -> None:
    later = [MINT.mint(created_at=NOW + hour, ends_at=NOW * 1.1, count=1) for hour in range(9)]
    assert [g.text for g in later] == sorted(g.text for g in later)


def test_an_id_may_stand_in_a_path_or_a_record_id() -> None:
    text = minted().request_id(2)
    assert len(text) == 42
    assert set(text) <= set(ALPHABET + "-")


@given(position=st.integers(0, 39), letter=st.sampled_from(ALPHABET))
def test_one_changed_character_makes_a_forgery(position: int, letter: str) -> None:
    text = minted().text
    changed = text[:position] + letter + text[position + 1 :]
    if changed != text:
        with pytest.raises(ForgedId):
            MINT.parse_group(changed)


@given(st.text(alphabet=ALPHABET, min_size=40, max_size=40))
def test_a_guess_is_a_forgery(text: str) -> None:
    with pytest.raises(ForgedId):
        MINT.parse_group(text)


@given(st.text())
def test_whatever_a_caller_sends_is_an_id_or_a_forgery_and_nothing_else(text: str) -> None:
    with pytest.raises(ForgedId):
        MINT.parse_request(text)


def test_an_id_of_another_key_is_a_forgery() -> None:
    with pytest.raises(ForgedId):
        IdMint(b"another key").parse_group(minted().text)


# --- tenants -------------------------------------------------------------------------------------


def test_an_id_without_a_tenant_is_the_one_that_earlier_releases_gave_out() -> None:
    """Minted by the release before tenants, with this key and the random bytes 0 to 6."""
    group = IdMint(b"a key of this test").mint(
        created_at=NOW, ends_at=NOW + 86_400, count=3, unique=bytes(range(7))
    )
    assert group.text == "dd4t40000mgg0003000g40o40k30ao56mvkisc16"


@given(tenant=st.text(min_size=1), other=st.text())
def test_an_id_is_forged_for_every_tenant_but_its_own(tenant: str, other: str) -> None:
    group = MINT.mint(created_at=NOW, ends_at=NOW + 60, count=1, tenant=tenant)
    assert MINT.parse_group(group.text, tenant=tenant) == group
    assert MINT.parse_request(group.request_id(0), tenant=tenant).group.tenant == tenant
    if other != tenant:
        with pytest.raises(ForgedId):
            MINT.parse_group(group.text, tenant=other)


@pytest.mark.parametrize("of_request", [True, False], ids=["a request's id", "a group's id"])
def test_what_an_id_claims_can_be_read_without_its_tenant(of_request: bool) -> None:
    group = MINT.mint(created_at=NOW, ends_at=NOW + 60, count=1, tenant="research")
    claimed = claimed_group(group.request_id(0) if of_request else group.text)
    assert (claimed.text, claimed.bucket) == (group.text, group.bucket)


@given(st.text())
def test_what_is_not_shaped_like_an_id_claims_nothing(text: str) -> None:
    with pytest.raises(ForgedId):
        claimed_group(text)


# --- several keys, and ids that are minted again -------------------------------------------------


def test_the_first_key_signs_and_all_of_them_verify() -> None:
    group = IdMint(b"new", b"old").mint(created_at=NOW, ends_at=NOW + 60, count=1)
    old = IdMint(b"old").mint(created_at=NOW, ends_at=NOW + 60, count=1)
    assert IdMint(b"new").parse_group(group.text) == group
    assert IdMint(b"new", b"old").parse_group(old.text) == old
    with pytest.raises(ForgedId):
        IdMint(b"new").parse_group(old.text)


def test_who_mints_with_the_same_unique_bytes_gets_the_same_id() -> None:
    one, again, other = (
        MINT.mint(created_at=NOW, ends_at=NOW + 60, count=2, unique=unique)
        for unique in (b"7 bytes", b"7 bytes", b"7 Bytes")
    )
    assert one == again != other


@pytest.mark.parametrize("length", [0, UNIQUE_BYTES - 1, UNIQUE_BYTES + 1])
def test_unique_bytes_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"must be {UNIQUE_BYTES} bytes"):
        MINT.mint(created_at=NOW, ends_at=NOW + 60, count=1, unique=bytes(length))


# --- forgeries -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda g: f"{g}-3", id="index equal to the count"),
        pytest.param(lambda g: f"{g}-99999999", id="index far beyond the count"),
        pytest.param(lambda g: f"{g}-999999999999", id="index of too many digits"),
        pytest.param(lambda g: f"{g}-01", id="leading zero: two names for one request"),
        pytest.param(lambda g: f"{g}--1", id="negative index"),
        pytest.param(lambda g: f"{g}-", id="no index"),
        pytest.param(lambda g: f"{g}", id="the group's own id"),
        pytest.param(lambda g: f"{g.upper()}-0", id="upper case"),
        pytest.param(lambda g: f"{g}-0\n", id="trailing line break"),
        pytest.param(lambda g: f" {g}-0", id="leading blank"),
        pytest.param(lambda g: f"{g}-0-0", id="two indices"),
        pytest.param(lambda g: f"{g}-٣", id="digit of another script"),
        pytest.param(lambda g: f"{g[:-1]}-0", id="cut"),
        pytest.param(lambda g: f"{g}0-0", id="padded"),
        pytest.param(lambda g: f"{g}-0/../x", id="a path"),
        pytest.param(lambda g: "", id="empty"),
    ],
)
def test_a_malformed_request_id_is_a_forgery(change: Callable[[str], str]) -> None:
    with pytest.raises(ForgedId):
        MINT.parse_request(change(minted(count=3).text))


def test_what_is_said_of_a_forgery_stays_short() -> None:
    with pytest.raises(ForgedId) as raised:
        MINT.parse_request("x" * 1_000_000)
    assert len(str(raised.value)) <= 100, "it goes into logs and dead letters"


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [
        pytest.param(1_800_000_000, "2027-01-15T08", id="on the hour"),
        pytest.param(1_800_003_599.9, "2027-01-15T08", id="end of the hour"),
        pytest.param(1_800_003_600, "2027-01-15T09", id="next hour"),
    ],
)
def test_a_bucket_is_an_hour_of_utc(seconds: float, bucket: str) -> None:
    assert bucket_of(seconds) == bucket


def test_a_group_lies_in_the_bucket_of_its_creation() -> None:
    assert minted().bucket == "2027-01-15T08"


@pytest.mark.parametrize(
    ("index", "part"),
    [
        pytest.param(0, 0, id="first"),
        pytest.param(REQUESTS_PER_SLICE - 1, 0, id="last of the first slice"),
        pytest.param(REQUESTS_PER_SLICE, 1, id="first of the second slice"),
        pytest.param(25_000, 2, id="third slice"),
    ],
)
def test_a_large_group_is_cut_into_slices(index: int, part: int) -> None:
    group = minted(count=30_000)
    request = MINT.parse_request(group.request_id(index))
    assert request.slice == f"{group.text}:{part}"
    assert slice_of_request(request.text) == request.slice
