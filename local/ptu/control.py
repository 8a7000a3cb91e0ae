"""The simulator's own API under ``/_ptu/``: read the truth, change settings, inject faults.

Not part of Azure, and without authentication: the server listens on loopback only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from local.ptu.config import ConfigError
from local.ptu.faults import Fault
from local.ptu.simulation import Simulation

__all__ = ["ControlApi"]


class ControlApi:
    """``clock`` gives the Unix seconds that the simulation runs on."""

    def __init__(self, simulation: Simulation, *, clock: Callable[[], float]) -> None:
        self._simulation = simulation
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_ptu/counters", self.counters),
            web.get("/_ptu/repeated", self.repeated),
            web.get("/_ptu/level", self.level),
            web.get("/_ptu/history", self.history),
            web.get("/_ptu/config", self.config),
            web.post("/_ptu/config", self.configure),
            web.post("/_ptu/faults", self.add_faults),
            web.delete("/_ptu/faults", self.clear_faults),
            web.post("/_ptu/reset", self.reset),
        ]

    async def counters(self, _: web.Request) -> web.Response:
        """What was served, refused, asked twice: ``total`` and by deployment."""
        return _json(self._simulation.counters())

    async def repeated(self, _: web.Request) -> web.Response:
        """Request ids that were served more than once, with how often."""
        return _json(self._simulation.repeated())

    async def level(self, _: web.Request) -> web.Response:
        """Level (1.0 is 100 %) of every provisioned deployment, now."""
        now = self._clock()
        return _json({"at": now, "levels": self._simulation.levels(now)})

    async def history(self, request: web.Request) -> web.Response:
        """Per-second samples by deployment, later than ``?since=`` (Unix seconds)."""
        try:
            since = float(request.query.get("since", 0))
        except ValueError:
            return _bad("since must be Unix seconds")
        return _json(
            {
                "at": self._clock(),
                "deployments": {
                    name: [sample._asdict() for sample in history.since(since)]
                    for name, history in self._simulation.histories.items()
                },
            }
        )

    async def config(self, _: web.Request) -> web.Response:
        """The settings in force."""
        return _json(self._simulation.describe())

    async def configure(self, request: web.Request) -> web.Response:
        """Change settings: see ``Simulation.configure``."""
        try:
            values = _object(await request.read())
            return _json(self._simulation.configure(values, now=self._clock()))
        except (ConfigError, TypeError) as error:
            return _bad(str(error))

    async def add_faults(self, request: web.Request) -> web.Response:
        """One fault (see ``Fault``) for the next calls that match it."""
        try:
            fault = Fault.from_dict(_object(await request.read()))
        except (ValueError, TypeError) as error:
            return _bad(str(error))
        name = fault.deployment
        if name is not None and name not in self._simulation.deployments:
            return _bad(f"deployment {name!r} does not exist")
        self._simulation.faults.add(fault)
        return _json({"faults_due": self._simulation.faults.remaining()})

    async def clear_faults(self, _: web.Request) -> web.Response:
        """Undo the faults that are still due."""
        self._simulation.faults.clear()
        return _json({"faults_due": 0})

    async def reset(self, _: web.Request) -> web.Response:
        """Forget counts, records, faults, levels and cached prompts."""
        self._simulation.reset(self._clock())
        return _json({})


def _object(raw: bytes) -> dict[str, Any]:
    try:
        values = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"the body is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError("the body must be a JSON object")
    return values


def _json(values: Any) -> web.Response:
    return web.Response(body=orjson.dumps(values), content_type="application/json")


def _bad(message: str) -> web.Response:
    return web.json_response({"error": message}, status=400)
