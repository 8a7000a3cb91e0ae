"""The virtual environment that `./dev` makes and keeps in step."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.dev import environment
from local.dev.errors import DevError

INTERPRETER = """\
#!/bin/sh
# stands in for a Python: `-m venv DIR` makes DIR/bin/python, which stands in for pip
echo "venv" >> {calls}
mkdir -p "$3/bin"
cat > "$3/bin/python" <<'PIP'
#!/bin/sh
echo "pip" >> {calls}
echo "$@" > {calls}.arguments
sleep 0.05
cat {verdict}
exit $(tail -n 1 {verdict})
PIP
chmod +x "$3/bin/python"
"""


class Machine:
    """A folder with stand-ins for everything outside this project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls_file = folder / "calls"
        self.calls_file.touch()
        self.verdict = folder / "verdict"
        self.verdict.write_text("0\n")
        self.requirements = folder / "requirements.txt"
        self.requirements.write_text("one\n")
        self.interpreter = folder / "python"
        self.interpreter.write_text(INTERPRETER.format(calls=self.calls_file, verdict=self.verdict))
        self.interpreter.chmod(0o755)

    def ensure(self, *pip_options: str) -> Path:
        return environment.ensure(
            interpreter=str(self.interpreter),
            version=(3, 12),
            requirements=[self.requirements],
            venvs=self.folder / "venvs",
            logs=self.folder / "logs",
            pip_options=pip_options,
        )

    def calls(self) -> list[str]:
        """What was called since the last time this was asked."""
        calls = self.calls_file.read_text().split()
        self.calls_file.write_text("")
        return calls


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_it_is_made_once_and_is_named_after_the_version(machine: Machine) -> None:
    python = machine.ensure()
    assert python == machine.folder / "venvs" / "3.12" / "bin" / "python"
    assert machine.calls() == ["venv", "pip"]
    machine.ensure()
    assert machine.calls() == []


def test_changed_requirements_are_installed_into_it(machine: Machine) -> None:
    machine.ensure()
    machine.requirements.write_text("one\ntwo\n")
    machine.calls()
    machine.ensure()
    assert machine.calls() == ["pip"]


def test_pip_is_given_the_options_of_an_environment(machine: Machine) -> None:
    machine.ensure("--no-deps")
    arguments = machine.calls_file.with_name("calls.arguments").read_text().split()
    assert arguments.index("install") < arguments.index("--no-deps") < arguments.index("-r")


def test_an_interrupted_installation_is_done_again_from_nothing(machine: Machine) -> None:
    python = machine.ensure()
    (python.parents[1] / environment.STAMP).unlink()
    leftover = python.parents[1] / "half-installed"
    leftover.touch()
    machine.calls()
    machine.ensure()
    assert machine.calls() == ["venv", "pip"]
    assert not leftover.exists()


def test_it_is_made_again_when_the_python_behind_it_is_gone(machine: Machine) -> None:
    python = machine.ensure()
    python.unlink()
    python.symlink_to(machine.folder / "uninstalled")
    machine.calls()
    machine.ensure()
    assert machine.calls() == ["venv", "pip"]


def test_a_failed_installation_shows_why_and_what_to_do_and_is_tried_again(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.verdict.write_text("No matching distribution found for one\n3\n")
    with pytest.raises(DevError) as raised:
        machine.ensure()
    assert "No matching distribution found for one" in str(raised.value)
    assert "PIP_INDEX_URL" in str(raised.value)
    assert capfd.readouterr().out == "", "progress must stay out of stdout"
    machine.verdict.write_text("0\n")
    machine.calls()
    machine.ensure()
    assert "pip" in machine.calls()


def test_two_at_once_install_once(machine: Machine) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert (
            len({future.result() for future in [pool.submit(machine.ensure) for _ in "1234"]}) == 1
        )
    assert machine.calls() == ["venv", "pip"]


def test_an_active_environment_does_not_leak_into_the_new_one() -> None:
    environ = {"VIRTUAL_ENV": "/a", "PYTHONHOME": "/b", "PYTHONPATH": "/c", "PATH": "/bin"}
    assert environment.clean_environ(environ) == {"PATH": "/bin"}
