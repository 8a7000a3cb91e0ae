"""One quiet step of the set-up: a line for the user, the details in a log file, one at a time."""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local.dev.errors import DevError

TAIL_LINES = 15
"""How much of a failed step's log is shown; pip and npm say what went wrong at the end."""


def say(message: str) -> None:
    """Progress goes to stderr: stdout belongs to the command's own answer (`--json`)."""
    print(message, file=sys.stderr, flush=True)


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the file lock at `path`, so that two `./dev` at once do not write one environment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another ./dev that is setting up ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file gives the lock back, and so does being killed


def run_step(
    title: str,
    command: Sequence[str],
    *,
    log: Path,
    advice: str,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command of the set-up with its output in `log`.

    Raises DevError with the end of the log and `advice` if the command fails.
    """
    started = time.monotonic()
    print(f"{title} ...", end="", file=sys.stderr, flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("wb") as output:
            code = subprocess.run(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environ is None else dict(environ),
                cwd=cwd,
                check=False,
            ).returncode
    except BaseException:
        say("")  # the open line ends before any message about what stopped us
        raise
    say(f" {'done' if code == 0 else 'failed'} ({time.monotonic() - started:.0f} s)")
    if code != 0:
        lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        tail = "\n".join(f"    {line}" for line in lines)
        raise DevError(
            f"{title} failed (exit code {code}):\n{tail}\n{advice}\nThe whole log: {log}"
        )
