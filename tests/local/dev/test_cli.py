"""What `./dev` understands and how it explains itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.dev import cli, paths
from local.dev.commands import bench, test


def parse(*argv: str) -> tuple[str, object]:
    parsed = cli.parse(argv)
    assert parsed is not None
    command, arguments = parsed
    return command.name, arguments


def test_alone_it_explains_itself_with_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.parse([]) is None
    said = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert f"\n    {command.name}" in said
        assert len(command.summary) < 70, "one line each"
    assert "examples:" in said


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help_and_can_be_run(
    command: cli.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.parse([command.name, "--help"])
    assert left.value.code == 0
    assert f"./dev {command.name}" in capsys.readouterr().out
    assert callable(command.module().run)


def test_an_argument_named_like_a_command_is_only_an_argument() -> None:
    name, arguments = parse("test", "-k", "bench", "--no-lint")
    assert name == "test"
    assert vars(arguments) | {"rest": ["-k", "bench"], "no_lint": True} == vars(arguments)


def test_unknown_arguments_are_refused_where_no_tool_takes_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.parse(["lint", "--what"])
    assert left.value.code == 2
    assert "--what" in capsys.readouterr().err


def test_what_follows_a_benchmark_is_its_own() -> None:
    _, arguments = parse("bench", "throughput", "--help")
    assert vars(arguments)["name"] == "throughput"
    assert vars(arguments)["rest"] == ["--help"]


def test_benchmarks_are_found_by_their_docstrings(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "helper.py").write_text('"""Not one."""\n')
    (tmp_path / "single.py").write_text('"""One module.\n\nMore."""\nprint(__name__)\n')
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__main__.py").write_text('"""A package."""\n')
    assert bench.benchmarks(tmp_path) == {"package": "A package.", "single": "One module."}


def test_pytest_runs_on_two_workers_unless_told_otherwise() -> None:
    assert test.pytest_command(["-x"])[-5:] == ["-n", "2", "--dist", "loadfile", "-x"]
    assert test.pytest_command(["-n0"])[-2:] == ["pytest", "-n0"]


def test_help_needs_nothing_that_is_not_in_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(paths.ROOT / "dev")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"PATH": os.defpath},
    )
    assert done.returncode == 0, done.stderr
    assert "./dev demo" in done.stdout


def test_the_continuous_integration_runs_the_same_command() -> None:
    script = paths.ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "exec ./dev test" in script.read_text()
