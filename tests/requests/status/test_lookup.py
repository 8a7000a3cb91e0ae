"""Which id is a request that this caller may see."""

from typing import Any

import pytest

from local.virtual_time import EPOCH, in_virtual_time
from ptu_optimizer.requests.groups import GroupRecord
from ptu_optimizer.requests.ids import IdMint
from ptu_optimizer.requests.item import Item
from tests.requests.status.scene import (
    GROUP,
    MINT,
    Scene,
    error_of,
    succeeded,
)
from tests.support.id_keys import FakeVault


@pytest.mark.parametrize(
    "request_id",
    [
        pytest.param("", id="empty"),
        pytest.param("nonsense", id="nonsense"),
        pytest.param(GROUP.text, id="a group's id"),
        pytest.param(GROUP.request_id(2), id="beyond the group"),
        pytest.param(
            IdMint(b"another key")
            .mint(created_at=EPOCH, ends_at=EPOCH + 60, count=1)
            .request_id(0),
            id="of another key",
        ),
    ],
)
@in_virtual_time
async def test_a_forged_id_is_a_404_without_a_read(request_id: str) -> None:
    scene = Scene()
    scene.store.away = True
    for call in (scene.status.show, scene.cancellation.cancel):
        error = await error_of(call(request_id))
        assert (error.status, error.code) == (404, "request_not_found")


@pytest.mark.parametrize("ask", [Scene.show, Scene.cancel], ids=["show", "cancel"])
@in_virtual_time
async def test_while_no_key_is_known_an_id_is_neither_shown_nor_unknown(ask: Any) -> None:
    vault = FakeVault()
    vault.is_away = True
    scene = Scene(vault=vault)
    error = await error_of(ask(scene))
    assert (error.status, error.code) == (503, "dependency_unavailable")
    assert error.headers == {"Retry-After": "5"}
    vault.is_away = False
    await scene.clock.sleep(5)
    assert (await scene.show())["state"] == "queued"


@in_virtual_time
async def test_after_its_end_a_request_is_gone() -> None:
    scene = Scene(succeeded(1))
    await scene.clock.sleep(GROUP.ends_at - EPOCH - 1)
    assert (await scene.show())["state"] == "succeeded"
    await scene.clock.sleep(1)
    assert (await error_of(scene.show())).status == 410
    assert (await error_of(scene.cancel())).status == 410


@in_virtual_time
async def test_a_store_that_is_away_is_a_503() -> None:
    scene = Scene()
    scene.store.away = True
    error = await error_of(scene.show())
    assert error.status == 503
    assert "Retry-After" in error.headers


# --- tenants -------------------------------------------------------------------------------------

RESEARCH = MINT.mint(created_at=EPOCH - 60, ends_at=EPOCH + 86_400, count=2, tenant="research")
THEIRS = RESEARCH.request_id(1)


def scene_of_a_tenant() -> Scene:
    scene = Scene()
    items = [Item({"messages": []}, "ptu", EPOCH + 60)] * 2
    record = GroupRecord.of(RESEARCH, items, in_blob=False, created_at=EPOCH - 60)
    scene.groups.put(record.record(RESEARCH))
    return scene


@in_virtual_time
async def test_a_tenant_sees_its_own_request_without_a_read_of_its_group() -> None:
    scene = scene_of_a_tenant()
    scene.groups.away = True
    assert (await scene.status.show(THEIRS, tenant="research"))["state"] == "queued"


@pytest.mark.parametrize("tenant", ["sales", ""])
@in_virtual_time
async def test_for_another_tenant_there_is_no_such_request(tenant: str) -> None:
    scene = scene_of_a_tenant()
    scene.groups.away = True
    for call in (scene.status.show, scene.cancellation.cancel):
        error = await error_of(call(THEIRS, tenant=tenant))
        assert (error.status, error.code) == (404, "request_not_found")


@in_virtual_time
async def test_an_operator_sees_and_cancels_the_requests_of_every_tenant() -> None:
    scene = scene_of_a_tenant()
    assert (await scene.status.show(THEIRS))["request_id"] == THEIRS
    assert (await scene.cancellation.cancel(THEIRS))["state"] == "cancelled"


@in_virtual_time
async def test_a_group_that_names_a_tenant_does_not_make_a_forged_id_genuine() -> None:
    scene = scene_of_a_tenant()
    forged = IdMint(b"another key").mint(created_at=EPOCH, ends_at=EPOCH + 60, count=1)
    record = GroupRecord.of(
        forged, [Item({"messages": []}, "ptu", EPOCH)], in_blob=False, created_at=EPOCH
    )
    scene.groups.put(record.record(forged) | {"tenant": "research"})
    assert (await error_of(scene.status.show(forged.request_id(0)))).status == 404


@in_virtual_time
async def test_while_no_group_can_be_read_an_operator_waits() -> None:
    scene = scene_of_a_tenant()
    scene.groups.away = True
    error = await error_of(scene.status.show(THEIRS))
    assert (error.status, error.code) == (503, "dependency_unavailable")
