"""What keeps a host from starting: loudly, with a nonzero exit, naming what to change."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from local.host.errors import RefusedError
from local.host.host import FunctionsHost
from local.host.options import HostOptions
from tests.local.host.support import APPS, DEADLINE_SECONDS, launch

FASTAPI = "from azurefunctions.extensions.http.fastapi import JSONResponse, Request\n"
APP = "import typing\nimport azure.functions as func\napp = func.FunctionApp()\n"
HUB = (
    "@app.event_hub_message_trigger(arg_name='events', event_hub_name={hub!r}, "
    "connection='EVENT_HUBS', cardinality='many')\n"
)
HTTP = "@app.route(route={route!r})\nasync def {name}(req: Request) -> JSONResponse: ...\n"


def app_in(folder: Path, source: str, **host_json: Any) -> Path:
    """An app of one file."""
    folder.mkdir(exist_ok=True)
    (folder / "function_app.py").write_text(source)
    (folder / "host.json").write_text(json.dumps({"version": "2.0", **host_json}))
    return folder


@pytest.mark.parametrize(
    ("source", "reasons"),
    [
        pytest.param(
            APP + HUB.format(hub="h") + "async def f(events: list[func.EventHubEvent]): ...\n",
            ["cannot load the f function", "invalid non-type annotation"],
            id="list of events",
        ),
        pytest.param(
            APP + HUB.format(hub="%HUB%") + "async def f(events): ...\n",
            ["function f", "'HUB' is missing"],
            id="an undefined setting",
        ),
        pytest.param(
            APP + FASTAPI + HTTP.format(route="admin/x", name="f"),
            ["function f", "must not start with admin or runtime"],
            id="a reserved route",
        ),
        pytest.param(
            APP + FASTAPI + HTTP.format(route="a", name="f") + HTTP.format(route="b", name="f"),
            ["Function f does not have a unique function name"],
            id="a name used twice",
        ),
        pytest.param(
            APP + "@app.route(route='r')\ndef f(req: func.HttpRequest) -> func.HttpResponse: ...\n",
            ["FastAPI", "func.HttpRequest"],
            id="classic types",
        ),
        pytest.param(
            APP + "import nothing_of_that_name\n",
            ["ModuleNotFoundError", "nothing_of_that_name"],
            id="an import that fails",
        ),
        pytest.param("x = 1\n", ["Could not find top level function app"], id="no app"),
        pytest.param(APP + "other = func.FunctionApp()\n", ["More than one"], id="two apps"),
        pytest.param("import os\nos._exit(7)\n", ["ended with code 7"], id="a worker that dies"),
    ],
)
async def test_an_app_that_azure_would_not_run_is_refused(
    tmp_path: Path, source: str, reasons: list[str]
) -> None:
    app = app_in(tmp_path / "app", source)
    options = HostOptions(app=app, port=0, data=tmp_path, environment=dict(os.environ))
    with pytest.raises(RefusedError) as refused:
        async with FunctionsHost(options):
            pass
    for reason in reasons:
        assert reason in str(refused.value)


async def test_a_refusal_ends_the_process_with_its_reason_and_nothing_on_stdout(
    tmp_path: Path,
) -> None:
    source = APP + HUB.format(hub="h") + "async def f(events: list[func.EventHubEvent]): ...\n"
    process = await launch(app_in(tmp_path / "app", source), tmp_path, {}, capture=True)
    said, complained = await asyncio.wait_for(process.communicate(), DEADLINE_SECONDS)
    assert (process.returncode, said) == (2, b"")
    last = complained.decode().splitlines()[-1]
    assert last.startswith("refused: ")
    assert "invalid non-type annotation" in last


@pytest.mark.parametrize(
    ("values", "named"),
    [
        pytest.param({}, "HUB", id="hub name"),
        pytest.param({"HUB": "requests"}, "COSMOS", id="output connection"),
        pytest.param(
            {"HUB": "requests", "COSMOS": "AccountEndpoint=http://127.0.0.1:9/;AccountKey=AAAA;"},
            "AzureWebJobsStorage",
            id="storage",
        ),
        pytest.param({"HUB": "requests", "COSMOS": "nonsense"}, "COSMOS", id="not usable"),
    ],
)
async def test_a_missing_connection_is_refused_by_name(
    tmp_path: Path, values: dict[str, str], named: str
) -> None:
    options = HostOptions(
        app=APPS / "events", port=0, data=tmp_path, environment={**values, "PATH": ""}
    )
    with pytest.raises(RefusedError, match=named):
        async with FunctionsHost(options):
            pass


async def test_a_host_runs_inside_a_test_too(tmp_path: Path) -> None:
    options = HostOptions(app=APPS / "http", port=0, data=tmp_path)
    async with FunctionsHost(options) as host:
        assert host.url.startswith("http://127.0.0.1:")
        assert host.status()["state"] == "Running"
        assert set(host.keys.functions) >= {"echo", "guarded"}
    assert host.status()["state"] == "Stopping"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param({"address": "0.0.0.0"}, "--address", id="all interfaces"),
        pytest.param({"address": "example"}, "--address", id="a name"),
        pytest.param({"ownership_expiry_seconds": 2.0}, "--ownership-expiry", id="too short"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusedError, match=named):
        HostOptions(app=APPS / "http", **options)
