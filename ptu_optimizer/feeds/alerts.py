"""Takes an alert in. It is written before it is answered, because a metric alert fires only
once. An answer of 503 makes the action group try again, up to five times within 75 s; then it
makes no call for 15 minutes (Microsoft, "Action groups: Webhook retry behavior").
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence

import orjson

from ptu_optimizer.capacity.signals.alert import Alert, merge
from ptu_optimizer.capacity.signals.alert_matching import MAX_TEXT_CHARS, Ignored, alert_on, concern
from ptu_optimizer.capacity.signals.alert_schema import (
    CommonAlert,
    Criterion,
    NotTheSchema,
    parse_alert,
)
from ptu_optimizer.capacity.signals.azure_deployment import AzureDeployment
from ptu_optimizer.capacity.signals.reading import InvalidReading
from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import AppError, BodyLimit, DependencyUnavailable, unavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.stores import CapacityStore
from ptu_optimizer.telemetry import logger

_log = logger("alerts")

BODY_LIMIT = BodyLimit(256 * 1024, "the most that an alert has")
"""Of an alert in the common schema ("Common alert schema")."""
WRITE_SECONDS = 6.0
"""For all writes of a delivery. An action group waits for ten seconds ("Action groups" said so
until 2023), and verifying a token may take some of them."""
MAX_SWAPS = 5
"""Tries to write one record that others write too. Deliveries of one alert are few."""
KEPT_SECONDS = 3_600
"""How long a record outlives its expiry, so that an older delivery that comes late is still
recognised as older."""


class Alerts:
    def __init__(
        self,
        *,
        store: CapacityStore,
        deployments: Sequence[AzureDeployment],
        expiry_seconds: float,
        clock: Clock,
    ) -> None:
        self._store = store
        self._deployments = deployments
        self._expiry = expiry_seconds
        self._clock = clock

    async def take(self, raw: bytes) -> JsonObject:
        """What became of one delivery. Raises AppError."""
        said = _parse(raw)
        about = concern(said, deployments=self._deployments)
        if isinstance(about, Ignored):
            rule = said.essentials.alert_rule[:MAX_TEXT_CHARS]
            _log.info("an alert is ignored", extra={"rule": rule, "why": about.why})
            return {"status": "ignored", "why": about.why}
        alerts = await self._write_all(said, about)
        for alert in alerts:
            _log.info(
                "an alert is recorded",
                extra={
                    "deployment": alert.deployment,
                    "rule": alert.rule,
                    "state": alert.state.value,
                },
            )
        return {
            "status": "recorded",
            "deployments": {alert.deployment: alert.state.value for alert in alerts},
        }

    async def _write_all(self, said: CommonAlert, about: Mapping[str, Criterion]) -> list[Alert]:
        now = self._clock.now()
        delivered = [
            alert_on(deployment, criterion, said=said, now=now, expiry_seconds=self._expiry)
            for deployment, criterion in about.items()
        ]
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                return await asyncio.gather(*map(self._write, delivered))
        except (DependencyUnavailable, TimeoutError) as error:
            reason = str(error) or f"not within {WRITE_SECONDS:g} s"
            _log.warning("an alert cannot be written", extra={"reason": reason})
            raise unavailable(
                "The alert could not be written. Deliver it again.", code="dependency_unavailable"
            ) from None

    async def _write(self, delivered: Alert) -> Alert:
        """The alert as it is after this delivery. Raises DependencyUnavailable, AppError."""
        for _ in range(MAX_SWAPS):
            stored, etag = await self._stored(delivered)
            merged = merge(stored, delivered)
            if merged == stored:
                return merged
            record = merged.record(ttl_seconds=math.ceil(self._expiry) + KEPT_SECONDS)
            if await self._store.swap(record, etag=etag):
                return merged
        raise unavailable(
            "Other deliveries of this alert are being written. Deliver it again.",
            code="alert_contended",
        )

    async def _stored(self, alert: Alert) -> tuple[Alert | None, str | None]:
        """The record of the same alert, and its etag. A record that makes no sense is replaced."""
        for record in await self._store.changed(alert.deployment, since=0.0):
            if record["id"] == alert.record_id:
                try:
                    return Alert.from_record(record), record["_etag"]
                except InvalidReading as error:
                    _log.warning("an invalid alert is replaced", extra={"reason": str(error)})
                    return None, record["_etag"]
        return None, None


def _parse(raw: bytes) -> CommonAlert:
    BODY_LIMIT.check(len(raw))
    try:
        return parse_alert(orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        raise AppError(f"The body is not JSON: {error}", status=400, code="invalid_json") from None
    except NotTheSchema as error:
        _log.warning("an alert is refused", extra={"why": str(error)})
        raise AppError(
            f"The body is not an alert in Azure Monitor's common alert schema: {error}.",
            status=400,
            param=error.path or None,
            code="invalid_alert",
        ) from None
