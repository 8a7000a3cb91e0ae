"""The whole consumer: readers and chores until it is stopped, and an end in good order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ptu_optimizer.background import Background, end
from ptu_optimizer.composition.application import Application
from ptu_optimizer.composition.places import places
from ptu_optimizer.services import AzureServices
from ptu_optimizer.settings.settings import Settings
from ptu_optimizer.telemetry import logger

from . import work
from .clients import BALANCE_SECONDS, Clients
from .health import HealthServer
from .reader import HubReader
from .work import Chore, Records

_log = logger("consumer")

EXTRAS = ("usage", "gauge", "sweep")
"""What else the Functions app does beside HTTP; wanted here if no Functions app does it."""

GRACE_SECONDS = 60.0
"""How long batches under way may take to end when the process is stopped."""

CLOSE_SECONDS = 10.0
"""How long the SDK may take to give the partitions up."""

_Task = asyncio.Task[None]


@dataclass(frozen=True, kw_only=True)
class Options:
    extras: Collection[str] = ()
    """Of EXTRAS."""
    grace_seconds: float = GRACE_SECONDS
    balance_seconds: float = BALANCE_SECONDS
    health_port: int | None = None
    """Where `GET /health` is answered, if anywhere."""


async def consume(settings: Settings, options: Options, *, stopping: asyncio.Event) -> None:
    """Dispatch until `stopping` is set. Raises what ended a reader that should not have ended."""
    readers: list[HubReader] = []

    def state() -> str:
        if stopping.is_set():
            return "stopping"
        read = readers and all(reader.reading for reader in readers)
        return HealthServer.GOOD if read else "starting"

    async with _health(options.health_port, state):
        await _consume(settings, options, readers, stopping=stopping)


@asynccontextmanager
async def _health(port: int | None, state: Callable[[], str]) -> AsyncIterator[None]:
    if port is None:
        yield
        return
    async with HealthServer(port, state):
        yield


async def _consume(
    settings: Settings, options: Options, readers: list[HubReader], *, stopping: asyncio.Event
) -> None:
    """Fill `readers`, and run them until `stopping` is set."""
    services = AzureServices(places(settings))
    application = Application(settings, services=services)
    clients = Clients(settings, identity=services.identity, balance_seconds=options.balance_seconds)
    records = Records(container=services.container)
    feeds = work.dispatching(application)
    if "usage" in options.extras:
        feeds.append(work.usage(application))
    chores = [
        _repeated(make(application), records)
        for name, make in (("gauge", work.gauge), ("sweep", work.sweep))
        if name in options.extras
    ]
    tasks: list[_Task] = []
    try:
        await clients.prepare()
        for feed in feeds:
            consumer = clients.consumer(feed.hub)
            readers.append(
                HubReader(feed=feed, consumer=consumer, write=records.write, stopping=stopping)
            )
        tasks += [asyncio.create_task(reader.run()) for reader in readers]
        for chore in chores:
            chore.start()
        await _until_stopped(tasks, stopping)
        await _drain(readers, application, records, seconds=options.grace_seconds)
    finally:
        stopping.set()
        closing = [asyncio.create_task(reader.close()) for reader in readers]
        await asyncio.gather(*(end(task, log=_log, grace=CLOSE_SECONDS) for task in closing))
        await asyncio.gather(
            *(end(task, log=_log) for task in tasks), *(chore.stop() for chore in chores)
        )
        await application.dispatcher.leave()
        await clients.close()
        await services.close()
        _log.info("stopped")


async def _until_stopped(tasks: Sequence[_Task], stopping: asyncio.Event) -> None:
    """Return when `stopping` is set. The readers go on holding their partitions: what is under way
    can still be checkpointed."""
    stop = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
    if stop in done:
        return
    stop.cancel()
    for task in tasks:
        if task.done():
            task.result()
    raise RuntimeError("a reader ended although nobody had stopped it")


async def _drain(
    readers: Sequence[HubReader], application: Application, records: Records, *, seconds: float
) -> None:
    """Let what is under way end, for so long."""
    _log.info("stopping", extra={"grace_seconds": seconds})
    until = asyncio.get_running_loop().time() + seconds
    await asyncio.gather(*(reader.drain(seconds=seconds) for reader in readers))
    try:
        async with asyncio.timeout_at(until):
            await records.write(work.written(await application.dispatcher.settled()))
    except TimeoutError:
        _log.warning("calls are given up; their leases end, and the sweep finds them")
    except Exception as error:
        # annotations decide nothing: without them the end is still a good one
        _log.warning("annotations are lost", extra={"error": f"{type(error).__name__}: {error}"})


def _repeated(chore: Chore, records: Records) -> Background:
    """Do a chore at intervals, counted from its starts; one that failed is due again as usual."""

    async def once() -> float:
        monotonic = asyncio.get_running_loop().time
        due = monotonic() + chore.every_seconds
        try:
            await records.write(await chore.do())
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            _log.warning("a chore failed", extra={"chore": chore.name, "error": text})
        return max(0.0, due - monotonic())

    return Background(
        once, interval=chore.every_seconds, log=_log, failed="a chore failed unexpectedly"
    )
