"""Ports, settings and command lines of the local system."""

import argparse
import json
import signal
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from local.system import Options, Ports, SystemFailed
from local.system.arguments import add_system_arguments, chosen_ports, chosen_settings
from local.system.commands import Commands, keys_file, settings_file
from local.system.options import Deployment
from local.system.ports import OPTIONS, taken
from local.system.settings import app_settings


def test_the_fixed_ports_are_the_usual_ones_of_each_service() -> None:
    assert Ports() == Ports(host=7071, event_hubs=5672, cosmos=8081, ptu=8090, blobs=10000)


def test_a_base_moves_all_of_them_side_by_side() -> None:
    ports = Ports.from_base(20000)
    assert sorted(getattr(ports, field) for field in OPTIONS) == list(range(20000, 20005))
    assert ports.host == 20004, "more hosts follow the first"


def test_free_ports_are_free() -> None:
    assert taken(Ports.free(hosts=2), hosts=2) == []


def test_settings_point_at_this_system_and_can_be_replaced() -> None:
    options = Options(ports=Ports.from_base(20000), settings={"HOLD_SECONDS": "1", "COSMOS": "x"})
    settings = app_settings(options)
    assert "127.0.0.1:20000" in settings["AzureWebJobsStorage"]
    assert "sb://127.0.0.1:20001" in settings["EVENT_HUBS"]
    assert settings["AZURE_OPENAI_ENDPOINT"] == "http://127.0.0.1:20003"
    assert settings["IDENTITY_ENDPOINT"] == "http://127.0.0.1:20003/msi/token"
    assert settings["COSMOS"] == "x"
    assert settings["HOLD_SECONDS"] == "1"


def test_keys_are_drawn_once_and_kept_from_others(tmp_path: Path) -> None:
    keys = Commands().write_keys(tmp_path)
    assert Commands().write_keys(tmp_path) == keys
    assert keys.function != keys.master
    assert stat.S_IMODE(keys_file(tmp_path).stat().st_mode) == 0o600


def test_settings_are_written_as_functions_core_tools_reads_them(tmp_path: Path) -> None:
    Commands().write_settings(tmp_path, {"COSMOS": "x"})
    written = json.loads(settings_file(tmp_path).read_text())
    assert written == {"IsEncrypted": False, "Values": {"COSMOS": "x"}}


@pytest.mark.parametrize("data", [None, Path("kept")], ids=["in memory", "on disk"])
def test_every_part_keeps_its_data_where_it_is_told(data: Path | None) -> None:
    options = Options(data=data, deployments=(Deployment(name="a"), Deployment(name="b")))
    by_name = {part.name: " ".join(part.command) for part in Commands().servers(options)}
    assert ("--data kept/cosmos" in by_name["cosmos"]) is (data is not None)
    assert ("--data kept/event_hubs" in by_name["event_hubs"]) is (data is not None)
    assert by_name["ptu"].count("--deployment") == 2
    assert "--hub requests-later:" in by_name["event_hubs"]


def test_what_the_shell_holds_does_not_redirect_a_host() -> None:
    shell = {"COSMOS": "AccountEndpoint=https://another.example/;", "SOMETHING_ELSE": "1"}
    host = Commands(shell).host(Options(), index=1, folder=Path("folder"))
    assert "COSMOS" not in host.environ
    assert "SOMETHING_ELSE" in host.environ
    assert host.name == "host-1"
    assert "7072" in host.command


def parse(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_system_arguments(parser)
    return parser.parse_args(argv)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        pytest.param([], Ports(), id="fixed"),
        pytest.param(["--port-base", "2000"], Ports.from_base(2000), id="moved together"),
        pytest.param(["--cosmos-port", "99"], Ports(cosmos=99), id="one moved"),
        pytest.param(
            ["--port-base", "2000", "--ptu-port", "99"],
            replace(Ports.from_base(2000), ptu=99),
            id="one moved apart from the rest",
        ),
    ],
)
def test_ports_are_settable(argv: list[str], expected: Ports) -> None:
    assert chosen_ports(parse(*argv)) == expected


def test_an_app_setting_may_hold_an_equals_sign_but_needs_a_name() -> None:
    assert chosen_settings(parse("--setting", "COSMOS=AccountKey=a==")) == {
        "COSMOS": "AccountKey=a=="
    }
    with pytest.raises(SystemFailed, match="NAME=VALUE"):
        chosen_settings(parse("--setting", "COSMOS"))


def test_azurite_is_told_to_end_even_when_it_is_orphaned() -> None:
    part = Commands().azurite(Options())
    assert part.signal_when_orphaned is signal.SIGTERM
    assert "--inMemoryPersistence" in part.command
    assert "--disableTelemetry" in part.command
