"""What the benchmark sends and reads."""

import asyncio
import json
import re

import pytest

from benchmarks.throughput.bodies import arrays, bodies, json_array
from benchmarks.throughput.dispatch import latency_arguments
from benchmarks.throughput.memory import kilobytes
from benchmarks.throughput.plan import FULL, QUICK
from benchmarks.throughput.running import DISPATCH, TIMERS, disabled, second
from benchmarks.throughput.side_by_side import at_once
from local.dev import paths
from local.dev.commands import bench
from local.ptu.config import read_latency
from local.system import Ports
from local.system.ports import OPTIONS


def test_ours_and_bare_send_the_same_bytes() -> None:
    items = bodies(7)
    lots = arrays(items, size=3)
    assert [len(lot) for lot in lots] == [3, 3, 1]
    assert [json.loads(body) for lot in lots for body in lot] == items
    assert json.loads(json_array(lots[0])) == items[:3]


async def test_no_more_is_done_at_a_time_than_was_said() -> None:
    under_way = highest = 0

    async def do(item: int) -> int:
        nonlocal under_way, highest
        under_way += 1
        highest = max(highest, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return item * item

    assert await at_once(do, range(10), concurrency=3) == [n * n for n in range(10)]
    assert highest == 3


async def test_the_first_error_ends_everything() -> None:
    async def do(item: int) -> int:
        if item == 2:
            raise ValueError("no")
        return item

    with pytest.raises(ExceptionGroup):
        await at_once(do, range(10), concurrency=2)


def test_memory_is_the_proportional_part_of_shared_pages() -> None:
    rollup = "00400000-7fff ---p [rollup]\nRss:    9000 kB\nPss:    4096 kB\nPss_Dirty: 1 kB\n"
    assert kilobytes(rollup, "Pss") == 4096
    assert kilobytes(rollup, "Swap") == 0


def test_functions_are_switched_off_by_the_setting_that_azure_has_for_it() -> None:
    assert disabled(["sweep"]) == {"AzureWebJobs.sweep.Disabled": "true"}
    assert disabled(["sweep"], value=False) == {"AzureWebJobs.sweep.Disabled": "false"}


def test_a_second_system_has_ports_of_its_own() -> None:
    usual, other = Ports(), second(Ports())
    hosts = 16
    for field in OPTIONS:
        apart = getattr(other, field) - getattr(usual, field)
        assert apart > hosts


def test_the_latency_is_the_same_for_every_call() -> None:
    assert latency_arguments(0.0) == ("--zero-latency",)
    option, text = latency_arguments(0.2)
    assert option == "--latency"
    model = read_latency({k: float(v) for k, _, v in (p.partition("=") for p in text.split(","))})
    for level, tokens in ((0.0, 1), (1.0, 500)):
        timing = model.timing(uncached_prompt_tokens=tokens, output_tokens=tokens, level=level)
        assert timing.total == pytest.approx(0.2)


def test_the_functions_that_are_switched_off_are_there() -> None:
    sources = (paths.ROOT / "ptu_optimizer" / "triggers").glob("*.py")
    names = {
        name
        for source in sources
        for name in re.findall(r'function_name\("(\w+)"\)', source.read_text())
    }
    assert names >= {*DISPATCH, *TIMERS}


def test_quick_measures_the_same_parts() -> None:
    assert QUICK.names == FULL.names


def test_it_is_listed_with_one_line() -> None:
    assert bench.benchmarks(bench.BENCHMARKS)["throughput"].endswith("ten minutes.")
