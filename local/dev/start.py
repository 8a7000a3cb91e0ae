"""From any `python3` to the command, running in an environment that has everything it needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from local.dev import interpreter
from local.dev.errors import DevError


def start(argv: Sequence[str]) -> int:
    """Choose the interpreter, set up what is missing, and become the command.

    Returns an exit code only when there is nothing to run.
    """
    try:
        if os.name != "posix":
            raise DevError("./dev runs on Linux and macOS; on Windows use WSL.")
        wanted, rest = interpreter.split_python_option(argv)
        chosen = interpreter.choose(wanted=wanted, environ=os.environ)
        if chosen != sys.executable:
            _become([chosen, os.path.realpath(sys.argv[0]), *rest], {interpreter.VARIABLE: ""})
        return _set_up_and_run(rest)
    except DevError as error:
        print(f"./dev: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\n./dev: stopped; run it again to go on.", file=sys.stderr)
        return 130


def _set_up_and_run(argv: Sequence[str]) -> int:
    # from here on the interpreter is a supported one: these modules need not parse on others
    from local.dev import cli, environment, node, paths
    from local.docs import tools

    parsed = cli.parse(argv)
    if parsed is None:
        return 0
    command, _ = parsed
    python = environment.ensure()
    if command.needs_azurite:
        node.ensure_azurite(venv=python.parents[1])
    if command.needs_site:
        tools.ensure(venv=python.parents[1])
    os.chdir(paths.ROOT)
    _become([str(python), "-m", "local.dev", *argv], {interpreter.VARIABLE: ""})
    return 0


def _become(command: list[str], changes: dict[str, str]) -> None:
    environ = {
        name: value
        for name, value in os.environ.items()
        if name not in {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__"}
    }
    environ.update(changes)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, environ)  # noqa: S606 - no shell is wanted
