"""Settings and the command line: every mistake is named."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from local.ptu import ConfigError, DeploymentConfig, PtuServerConfig
from local.ptu.__main__ import main

PTU = {"name": "ptu", "ptus": 50}
PAYG = {"name": "payg", "tpm": 1_000}


def test_a_model_s_figures_come_from_the_table_and_can_be_overridden() -> None:
    known = DeploymentConfig.from_dict({"name": "d", "model": "gpt-5-mini", "ptus": 25})
    assert (known.input_tpm_per_ptu, known.output_ratio) == (23_750, 8)
    own = DeploymentConfig.from_dict(
        {"name": "d", "model": "new", "ptus": 1, "input_tpm_per_ptu": 10, "output_ratio": 2}
    )
    assert (own.input_tpm_per_ptu, own.output_ratio) == (10, 2)


@pytest.mark.parametrize(
    ("deployments", "named"),
    [
        pytest.param([], "at least one", id="none"),
        pytest.param([{"ptus": 1}], "name", id="without a name"),
        pytest.param([PTU, PTU], "must differ", id="twice the same name"),
        pytest.param([{**PTU, "size": 3}], "size", id="unknown setting"),
        pytest.param([{**PTU, "ptus": 0}], "ptus", id="no size"),
        pytest.param([{**PTU, "ptus": "50"}], "ptus", id="size as text"),
        pytest.param([{**PTU, "model": "new"}], "input_tpm_per_ptu", id="unknown model"),
        pytest.param([{**PTU, "tpm": 3}], "exclude", id="both kinds"),
        pytest.param([{**PAYG, "tpm": 0}], "tpm", id="no tokens a minute"),
        pytest.param([{**PTU, "spillover_to": "payg"}], "payg", id="spillover to nowhere"),
        pytest.param([PTU, {**PAYG, "spillover_to": "ptu"}], "spillover_to", id="payg spills"),
        pytest.param([{**PTU, "latency": {"speed": 1}}], "speed", id="unknown latency"),
        pytest.param([{**PTU, "latency": {"jitter": 2}}], "jitter", id="impossible latency"),
        pytest.param([{**PTU, "output_share": [0.9, 0.1]}], "output_share", id="share"),
    ],
)
def test_a_mistake_in_a_deployment_is_named(deployments: list[dict[str, Any]], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        PtuServerConfig.from_dict({"deployments": deployments})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("metric", "share"),
        ("metric_delay_seconds", -1),
        ("api_keys", []),
        ("api_keys", "k"),
        ("seed", "x"),
        ("unlimited", 1),
        ("nonsense", 1),
    ],
)
def test_a_mistake_in_the_server_s_settings_is_named(setting: str, value: object) -> None:
    with pytest.raises(ConfigError, match=setting):
        PtuServerConfig.from_dict({"deployments": [PTU], setting: value})


def test_a_file_is_a_list_of_deployments_or_all_settings(tmp_path: Path) -> None:
    path = tmp_path / "deployments.json"
    path.write_text(json.dumps([PTU, PAYG]))
    assert [d.name for d in PtuServerConfig.from_file(path).deployments] == ["ptu", "payg"]
    path.write_text(json.dumps({"deployments": [PTU], "seed": 9, "api_keys": ["k"]}))
    assert PtuServerConfig.from_file(path).seed == 9


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param([], "--deployment", id="no deployment"),
        pytest.param(["--deployment", "name=p,ptus=x"], "ptus", id="not a number"),
        pytest.param(
            ["--deployment", "name=p,ptus=1", "--latency", "speed=1"], "speed", id="latency"
        ),
        pytest.param(["--deployment", "name"], "name=value", id="no value"),
        pytest.param(["--deployments", "no-such-file"], "no-such-file", id="no file"),
        pytest.param(["--host", "0.0.0.0", "--deployment", "name=p,ptus=1"], "--host", id="host"),
    ],
)
def test_the_command_line_names_its_mistakes(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert named in capsys.readouterr().err


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port), "--deployment", "name=p,ptus=50"]) == 1
    message = capsys.readouterr().err
    assert str(port) in message
    assert "--port" in message


def test_the_process_says_ready_serves_and_ends_on_sigterm() -> None:
    arguments = ["--port", "0", "--deployment", "name=p,ptus=50", "--zero-latency"]
    with subprocess.Popen(
        [sys.executable, "-m", "local.ptu", *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            word, _, url = process.stdout.readline().strip().partition(" ")
            assert word == "ready"
            with urllib.request.urlopen(f"{url}/_ptu/level", timeout=5) as response:
                assert json.load(response)["levels"] == {"p": 0.0}
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=5) == 0
        finally:
            process.kill()
