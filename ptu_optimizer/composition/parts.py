"""What several use cases of a process stand on: each part is built when it is first asked for."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from functools import cached_property

from ptu_optimizer.capacity.control.controller import Controller
from ptu_optimizer.clock import Clock, SystemClock
from ptu_optimizer.requests.bodies import Bodies
from ptu_optimizer.requests.id_keys import FixedIds, Ids, RotatingIds
from ptu_optimizer.requests.ids import IdMint
from ptu_optimizer.requests.ledger.ledger import Ledger
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.requests.urgency import Urgency
from ptu_optimizer.services import AzureServices, Services
from ptu_optimizer.settings.settings import Settings

from .places import places

ControllerChoice = Callable[[str, Controller], Controller]
"""From a deployment's name and its own controller to the one that is used."""


class Parts:
    """The settings and services of a process, and what is built on them alone."""

    def __init__(
        self,
        settings: Settings,
        *,
        services: Services | None = None,
        clock: Clock | None = None,
        worker: str | None = None,
        control: ControllerChoice | None = None,
    ) -> None:
        """`worker` names this process in readings and attempts; `control` may put another
        controller in the place of a deployment's own.
        """
        self.settings = settings
        self._services = services or AzureServices(places(settings))
        self._clock = clock or SystemClock()
        self._control = control or (lambda _, own: own)
        self._worker = worker or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"

    @cached_property
    def _timing(self) -> Timing:
        s = self.settings
        return Timing(
            call_limit=s.call_limit_seconds,
            write_budget=s.write_budget_seconds,
            skew=s.skew_seconds,
            hold=s.hold_seconds,
            invocation_budget=s.invocation_budget_seconds,
            turn_wait=s.turn_wait_seconds,
        )

    @cached_property
    def _urgency(self) -> Urgency:
        s = self.settings
        return Urgency(soon=s.soon_seconds, spillover_lead=s.spillover_lead_seconds)

    @cached_property
    def _ids(self) -> Ids:
        keys = self.settings.request_id_keys
        if keys is not None:
            return FixedIds(IdMint(*(key.get_secret_value().encode() for key in keys)))
        return RotatingIds(reader=self._services.id_keys, clock=self._clock)

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(store=self._services.ledger, clock=self._clock)

    @cached_property
    def _bodies(self) -> Bodies:
        return Bodies(blobs=self._services.blobs)
