"""Alerts are written before they are answered, once each, whoever else delivers them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.capacity.signals.alert import Alert, brake
from ptu_optimizer.capacity.signals.azure_deployment import AzureDeployment
from ptu_optimizer.errors import AppError
from ptu_optimizer.feeds.alerts import BODY_LIMIT, KEPT_SECONDS, MAX_SWAPS, Alerts
from ptu_optimizer.ports.documents import JsonObject
from tests.support.alerts import (
    ALERT_ID,
    EXPIRY_SECONDS,
    RESOURCE,
    UTILIZATION,
    Json,
    criterion,
    payload,
    refusals,
    resolved,
    time_text,
)
from tests.support.stores import FakeCapacity

FIRED = payload(firedDateTime=time_text(EPOCH - 60))
RESOLVED = resolved(firedDateTime=time_text(EPOCH - 60), resolvedDateTime=time_text(EPOCH - 1))


class Webhook:
    """The use case on a store in memory."""

    def __init__(self, store: FakeCapacity) -> None:
        self.store = store
        self._alerts = Alerts(
            store=store,
            deployments=[
                AzureDeployment(backend=name, deployment=name, resource_id=RESOURCE)
                for name in ("ptu-1", "ptu-2")
            ],
            expiry_seconds=EXPIRY_SECONDS,
            clock=VirtualClock(),
        )

    async def take(self, content: object) -> JsonObject:
        return await self._alerts.take(orjson.dumps(content))

    async def refusal(self, raw: bytes) -> AppError:
        with pytest.raises(AppError) as raised:
            await self._alerts.take(raw)
        return raised.value

    def state(self, deployment: str = "ptu-1") -> str | None:
        states = [
            record["state"]
            for (place, _), record in self.store.records.items()
            if place == deployment
        ]
        return states[0] if states else None

    def brakes(self, *, now: float = EPOCH) -> list[str]:
        """The deployments that are braked."""
        return [reading.deployment for reading in brake(self.store.records.values(), now=now)]


# --- what is recorded -----------------------------------------------------------------------------


@in_virtual_time
async def test_a_fired_alert_is_recorded_and_brakes_its_deployment_until_it_expires() -> None:
    webhook = Webhook(FakeCapacity())
    assert await webhook.take(FIRED) == {
        "status": "recorded",
        "deployments": {"ptu-1": "fired"},
    }
    assert webhook.brakes() == ["ptu-1"]
    assert webhook.brakes(now=EPOCH - 60 + EXPIRY_SECONDS) == []


@in_virtual_time
async def test_its_resolution_ends_the_brake() -> None:
    webhook = Webhook(FakeCapacity())
    await webhook.take(FIRED)
    assert (await webhook.take(RESOLVED))["deployments"] == {"ptu-1": "resolved"}
    assert webhook.brakes() == []
    assert len(webhook.store.records) == 1, "it is the same record"


@in_virtual_time
async def test_the_record_is_what_the_controller_takes_in() -> None:
    webhook = Webhook(FakeCapacity())
    await webhook.take(FIRED)
    (record,) = webhook.store.records.values()
    alert = Alert.from_record(record)
    assert (alert.deployment, alert.metric, alert.alert_id) == ("ptu-1", UTILIZATION, ALERT_ID)
    assert record["ttl"] == EXPIRY_SECONDS + KEPT_SECONDS


@in_virtual_time
async def test_an_alert_of_several_deployments_has_a_record_for_each() -> None:
    webhook = Webhook(FakeCapacity())
    all_of_them = payload(criterion(dimensions=[]), firedDateTime=time_text(EPOCH - 60))
    assert (await webhook.take(all_of_them))["deployments"] == {"ptu-1": "fired", "ptu-2": "fired"}
    assert webhook.brakes() == ["ptu-1", "ptu-2"]


@in_virtual_time
async def test_alerts_of_one_deployment_are_kept_apart() -> None:
    webhook = Webhook(FakeCapacity())
    await webhook.take(FIRED)
    await webhook.take(payload(refusals(), alertId="another", firedDateTime=time_text(EPOCH - 30)))
    await webhook.take(RESOLVED)
    assert webhook.brakes() == ["ptu-1"], "the other one still brakes"


@in_virtual_time
async def test_a_resolution_that_says_nothing_of_deployments_ends_what_its_firing_began() -> None:
    webhook = Webhook(FakeCapacity())
    await webhook.take(FIRED)
    bare = resolved(resolvedDateTime=time_text(EPOCH - 1))
    bare["data"]["alertContext"] = None
    await webhook.take(bare)
    assert webhook.brakes() == []


# --- duplicates, any order ------------------------------------------------------------------------


@in_virtual_time
async def test_the_same_delivery_once_more_writes_nothing() -> None:
    webhook = Webhook(FakeCapacity())
    first = await webhook.take(FIRED)
    await VirtualClock().sleep(70)
    assert await webhook.take(FIRED) == first
    assert webhook.store.writes == 1


@in_virtual_time
async def test_a_resolution_that_comes_first_wins_over_its_firing() -> None:
    webhook = Webhook(FakeCapacity())
    await webhook.take(RESOLVED)
    assert (await webhook.take(FIRED))["deployments"] == {"ptu-1": "resolved"}
    assert webhook.brakes() == []


@in_virtual_time
async def test_a_newer_firing_brakes_again() -> None:
    webhook = Webhook(FakeCapacity())
    await webhook.take(FIRED)
    await webhook.take(RESOLVED)
    await webhook.take(payload(firedDateTime=time_text(EPOCH)))
    assert webhook.brakes() == ["ptu-1"]


class Interrupted(FakeCapacity):
    """Lets something happen between the read and the write of the first swaps."""

    def __init__(self, meanwhile: Callable[[FakeCapacity], Awaitable[None]], *, times: int) -> None:
        super().__init__()
        self._meanwhile = meanwhile
        self.times = times

    async def swap(self, record: JsonObject, *, etag: str | None) -> str | None:
        if self.times:
            self.times -= 1
            await self._meanwhile(self)
        return await super().swap(record, etag=etag)


@pytest.mark.parametrize("known_before", [True, False], ids=["a record is there", "none is"])
@in_virtual_time
async def test_of_two_deliveries_at_once_neither_undoes_the_other(known_before: bool) -> None:
    """A repetition of the firing reads, the resolution is written, the repetition writes."""

    async def resolution_comes(store: FakeCapacity) -> None:
        await Webhook(store).take(RESOLVED)

    store = Interrupted(resolution_comes, times=0)
    if known_before:
        await Webhook(store).take(payload(firedDateTime=time_text(EPOCH - 90)))
    store.times = 1
    answer = await Webhook(store).take(FIRED)
    assert answer["deployments"] == {"ptu-1": "resolved"}
    assert Webhook(store).state() == "resolved"


@in_virtual_time
async def test_both_at_once_end_the_same() -> None:
    for order in ([FIRED, RESOLVED], [RESOLVED, FIRED]):
        store = FakeCapacity()
        await asyncio.gather(*(Webhook(store).take(content) for content in order))
        assert Webhook(store).state() == "resolved"


@in_virtual_time
async def test_a_record_that_others_never_stop_writing_is_given_up_to_be_tried_again() -> None:
    async def somebody_writes(store: FakeCapacity) -> None:
        store.writes += 1
        for record in store.records.values():
            record["_etag"] = str(store.writes)

    store = Interrupted(somebody_writes, times=0)
    await Webhook(store).take(FIRED)
    store.times = MAX_SWAPS
    refused = await Webhook(store).refusal(orjson.dumps(RESOLVED))
    assert (refused.status, refused.code) == (503, "alert_contended")
    assert "Retry-After" in refused.headers


@in_virtual_time
async def test_a_stored_record_that_makes_no_sense_is_replaced() -> None:
    webhook = Webhook(FakeCapacity())
    await webhook.take(FIRED)
    ((place, record),) = webhook.store.records.items()
    webhook.store.records[place] = {**record, "fired_at": None}
    await webhook.take(FIRED)
    assert webhook.brakes() == ["ptu-1"]


# --- a store that is away -------------------------------------------------------------------------


@in_virtual_time
async def test_an_alert_that_cannot_be_written_is_answered_so_that_it_comes_again() -> None:
    webhook = Webhook(FakeCapacity(away=True))
    refused = await webhook.refusal(orjson.dumps(FIRED))
    assert (refused.status, refused.code) == (503, "dependency_unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    webhook.store.away = False
    assert (await webhook.take(FIRED))["status"] == "recorded"


@in_virtual_time
async def test_a_store_that_hangs_is_given_up_before_the_action_group_gives_us_up() -> None:
    class Hanging(FakeCapacity):
        async def changed(
            self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
        ) -> list[JsonObject]:
            await asyncio.sleep(3_600)
            return []

    began = VirtualClock().monotonic()
    refused = await Webhook(Hanging()).refusal(orjson.dumps(FIRED))
    assert refused.status == 503
    assert VirtualClock().monotonic() - began < 10


@in_virtual_time
async def test_what_is_ignored_does_not_need_the_store() -> None:
    webhook = Webhook(FakeCapacity(away=True))
    answer = await webhook.take(payload(alertTargetIDs=["/subscriptions/s/elsewhere"]))
    assert answer["status"] == "ignored"
    assert "AZURE_OPENAI_RESOURCE_ID" in answer["why"]


# --- what is refused ------------------------------------------------------------------------------


def sized(size: int) -> bytes:
    """A good alert of so many bytes."""
    room = size - len(orjson.dumps(payload(description="-")))
    return orjson.dumps(payload(description="-" * (room + 1)))


@pytest.mark.parametrize(
    ("raw", "status", "code", "param"),
    [
        pytest.param(b"", 400, "invalid_json", None, id="no body"),
        pytest.param(b"{", 400, "invalid_json", None, id="not JSON"),
        pytest.param(b'{"a": NaN}', 400, "invalid_json", None, id="NaN is not JSON"),
        pytest.param(b"\xff\xfe", 400, "invalid_json", None, id="not UTF-8"),
        pytest.param(b"[]", 400, "invalid_alert", None, id="no object"),
        pytest.param(b"{}", 400, "invalid_alert", "schemaId", id="an empty object"),
        pytest.param(
            orjson.dumps(payload(alertId=None)),
            400,
            "invalid_alert",
            "data.essentials.alertId",
            id="an alert without its id",
        ),
        pytest.param(sized(BODY_LIMIT.most + 1), 413, "body_too_large", None, id="too large"),
    ],
)
@in_virtual_time
async def test_what_is_no_alert_is_refused_in_openais_shape(
    raw: bytes, status: int, code: str, param: str | None
) -> None:
    webhook = Webhook(FakeCapacity(away=True))
    refused = await webhook.refusal(raw)
    assert refused.status == status
    error: dict[str, Any] = refused.body()["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == "invalid_request_error"


@in_virtual_time
async def test_an_alert_of_the_largest_size_is_taken() -> None:
    webhook = Webhook(FakeCapacity())
    content: Json = orjson.loads(sized(BODY_LIMIT.most))
    assert (await webhook.take(content))["status"] == "recorded"
