"""The key of request ids by the real Key Vault client, over a TLS socket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
from aiohttp import web

from ptu_optimizer.adapters.identity import Identity
from ptu_optimizer.adapters.key_vault import KeyVaultKeys
from ptu_optimizer.clock import SystemClock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.id_keys import KeyVersion
from ptu_optimizer.requests.id_keys import RotatingIds
from tests.support.key_vault import Credential, KeyVault, certificate, failure, transport

FIRST, SECOND = "the first key, long enough", "the key of a rotation"
V1, V2 = "0" * 31 + "1", "0" * 31 + "2"


class HandClock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> float:
        return 1_800_000_000.0 + self.passed

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here sleeps")


class FixedIdentity(Identity):
    """Stands for the app's managed identity."""

    def __init__(self, credential: Credential) -> None:
        super().__init__(client_id=None)
        self._fixed = credential

    @property
    def credential(self) -> Credential:  # type: ignore[override]
        return self._fixed


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("vault"))


@pytest.fixture
async def vault(pem: Path) -> AsyncIterator[KeyVault]:
    vault = KeyVault()
    vault.put(V1, FIRST, at=1_000)
    await vault.start(pem)
    yield vault
    await vault.stop()


@pytest.fixture
async def keys(vault: KeyVault, pem: Path) -> AsyncIterator[KeyVaultKeys]:
    credential = Credential()
    keys = KeyVaultKeys(uri=vault.uri, identity=FixedIdentity(credential), transport=transport(pem))
    yield keys
    await keys.close()
    named = {f"https://0.0.1:{vault.port}/.default"}
    assert set(credential.asked) <= named, "tokens are for the audience that the vault names"


def closed(_: web.Request) -> web.Response | None:
    return denied("ForbiddenByFirewall")


def opened(_: web.Request) -> web.Response | None:
    return None


def denied(inner: str) -> web.Response:
    return failure(403, "Forbidden", inner)


async def test_every_enabled_version_is_read_with_its_times(
    vault: KeyVault, keys: KeyVaultKeys
) -> None:
    vault.put(V2, SECOND, at=2_000)
    vault.put("3" * 32, "a version that was switched off", at=3_000, enabled=False)
    assert await keys.read() == [
        KeyVersion(key=FIRST.encode(), created_at=1_000, updated_at=1_000),
        KeyVersion(key=SECOND.encode(), created_at=2_000, updated_at=2_000),
    ]


async def test_a_value_is_read_once_and_its_times_each_time(
    vault: KeyVault, keys: KeyVaultKeys
) -> None:
    await keys.read()
    vault.versions[V1]["attributes"]["updated"] = 5_000
    assert [version.updated_at for version in await keys.read()] == [5_000]
    assert vault.calls == ["/versions", f"/{V1}", "/versions"]


async def test_a_version_that_is_switched_off_verifies_no_longer(
    vault: KeyVault, keys: KeyVaultKeys
) -> None:
    vault.put(V2, SECOND, at=2_000)
    await keys.read()
    vault.versions[V1]["attributes"]["enabled"] = False
    assert [version.key for version in await keys.read()] == [SECOND.encode()]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(failure(403, "Forbidden", "SecretDisabled"), id="switched off"),
        pytest.param(failure(404, "SecretNotFound"), id="deleted"),
    ],
)
async def test_a_version_that_goes_between_listing_and_reading_is_left_out(
    vault: KeyVault, keys: KeyVaultKeys, answer: web.Response
) -> None:
    vault.put(V2, SECOND, at=2_000)
    vault.refuses = lambda request: answer if request.path.endswith(V2) else None
    assert [version.key for version in await keys.read()] == [FIRST.encode()]


async def test_where_listing_is_refused_the_current_version_is_read_with_one_warning(
    vault: KeyVault, keys: KeyVaultKeys, caplog: pytest.LogCaptureFixture
) -> None:
    vault.refuses = lambda request: (
        denied("ForbiddenByRbac") if request.path.endswith("versions") else None
    )
    with caplog.at_level(logging.WARNING, logger="ptu_optimizer"):
        assert [version.key for version in await keys.read()] == [FIRST.encode()]
        vault.put(V2, SECOND, at=2_000)
        both = {FIRST.encode(), SECOND.encode()}
        assert {version.key for version in await keys.read()} == both, "what is known stays"
        await keys.read()
    assert len([r for r in caplog.records if "may not be listed" in r.getMessage()]) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(denied("ForbiddenByRbac"), "403 Forbidden ForbiddenByRbac", id="no role yet"),
        pytest.param(denied("ForbiddenByFirewall"), "ForbiddenByFirewall", id="closed network"),
        pytest.param(failure(404, "SecretNotFound"), "404 SecretNotFound", id="no such secret"),
        pytest.param(web.Response(status=500), "500", id="a defect there"),
    ],
)
async def test_a_refusal_is_told_by_its_codes_and_without_its_text(
    vault: KeyVault, keys: KeyVaultKeys, answer: web.Response, reason: str
) -> None:
    body = answer.body
    vault.refuses = lambda _: web.Response(
        status=answer.status, body=body, content_type="application/json"
    )
    with pytest.raises(DependencyUnavailable, match=reason) as raised:
        await keys.read()
    assert "appid" not in str(raised.value)


@pytest.mark.parametrize(
    "value", [pytest.param("", id="empty"), pytest.param("fifteen letters", id="too short")]
)
async def test_a_version_that_is_too_short_for_a_key_is_not_used(
    vault: KeyVault, keys: KeyVaultKeys, value: str
) -> None:
    vault.put(V2, value, at=2_000)
    assert [version.key for version in await keys.read()] == [FIRST.encode()]
    vault.versions.pop(V1)
    with pytest.raises(DependencyUnavailable, match="no enabled version with a key"):
        await keys.read()


async def test_64_cold_callers_make_one_read(vault: KeyVault, keys: KeyVaultKeys) -> None:
    ids = RotatingIds(reader=keys, clock=SystemClock())
    await asyncio.gather(*(ids.mint() for _ in range(64)))
    assert vault.calls == ["/versions", f"/{V1}"]


async def test_a_vault_that_is_away_is_read_when_it_is_back(
    vault: KeyVault, keys: KeyVaultKeys, pem: Path
) -> None:
    await vault.stop()
    with pytest.raises(DependencyUnavailable):
        await keys.read()
    await vault.start(pem)
    assert [version.key for version in await keys.read()] == [FIRST.encode()]


# --- the keys of a process, over the real client --------------------------------------------------


class Start(Protocol):
    def __call__(self, clock: HandClock, vault: KeyVault) -> RotatingIds: ...


@pytest.fixture
async def process(pem: Path) -> AsyncIterator[Start]:
    """Starts processes that share a vault and nothing else."""
    started: list[KeyVaultKeys] = []

    def start(clock: HandClock, vault: KeyVault) -> RotatingIds:
        identity = FixedIdentity(Credential())
        started.append(KeyVaultKeys(uri=vault.uri, identity=identity, transport=transport(pem)))
        return RotatingIds(reader=started[-1], clock=clock)

    yield start
    for keys in started:
        await keys.close()


async def given_out(ids: RotatingIds, clock: HandClock) -> str:
    group = (await ids.mint()).mint(created_at=clock.now(), ends_at=clock.now() + 60, count=1)
    return group.text


async def test_a_role_that_spreads_in_ten_minutes_costs_503s_and_no_id(
    vault: KeyVault, process: Start
) -> None:
    clock = HandClock()
    ids = process(clock, vault)
    vault.refuses = lambda _: denied("ForbiddenByRbac")
    for _ in range(20):
        with pytest.raises(DependencyUnavailable, match="ForbiddenByRbac"):
            await given_out(ids, clock)
        clock.passed += 30
    vault.refuses = lambda _: None
    assert await ids.group(await given_out(ids, clock))


async def test_a_vault_that_is_away_for_an_hour_is_missed_by_new_processes_only(
    vault: KeyVault, process: Start
) -> None:
    clock = HandClock()
    old, new = process(clock, vault), process(clock, vault)
    first = await given_out(old, clock)
    vault.refuses = closed  # the client repeats a 503 for seconds, a 403 it hands on
    for _ in range(6):
        clock.passed += 600
        assert await old.group(await given_out(old, clock))
        with pytest.raises(DependencyUnavailable):
            await new.group(first)
    vault.refuses = lambda _: None
    clock.passed += 600
    assert await new.group(first)


async def test_in_a_rotation_with_one_process_behind_no_id_that_was_given_out_is_unknown(
    vault: KeyVault, pem: Path, process: Start
) -> None:
    """The one that is behind reaches the vault by a way that is closed for an hour."""
    way = KeyVault()
    way.versions = vault.versions
    await way.start(pem)
    clock = HandClock()
    ahead, behind = process(clock, vault), process(clock, way)
    ids = [await given_out(ahead, clock), await given_out(behind, clock)]
    vault.put(V2, SECOND, at=clock.now())
    undecided = 0
    for minute in range(0, 100, 5):
        clock.passed += 300
        way.refuses = closed if minute < 60 else opened
        ids += [await given_out(ahead, clock), await given_out(behind, clock)]
        for one in ids:
            try:
                await behind.group(one)
            except DependencyUnavailable:
                undecided += 1
    assert undecided, "while it could not read, it did not guess"
    for ids_of in (ahead, behind):
        assert {group.count for group in [await ids_of.group(one) for one in ids]} == {1}
    await way.stop()
