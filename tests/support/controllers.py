"""A controller as `bootstrap` builds it, of a deployment that drains 1,000 a second."""

from __future__ import annotations

from ptu_optimizer.capacity.admission import SlowDownLimits
from ptu_optimizer.capacity.controller import LevelController
from ptu_optimizer.capacity.observer import LevelObserver
from ptu_optimizer.capacity.work import Model

RATE = 1_000.0
MODEL = Model(input_tpm_per_ptu=1_000, output_ratio=4)


def level_controller(*, source: str = "me", deployment: str = "ptu") -> LevelController:
    limits = SlowDownLimits(lower=0.2, upper=0.8, max_concurrent_calls=64)
    return LevelController(
        deployment=deployment,
        source=source,
        work_per_second=RATE,
        observer=LevelObserver(
            work_per_second=RATE, model=MODEL, header_ttl_seconds=15, metric_ttl_seconds=300
        ),
        limits={"high": limits, "normal": limits},
        max_concurrent_calls=64,
    )
