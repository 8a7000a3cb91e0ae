"""Become a command that does not outlive the supervisor, even when that is killed with SIGKILL.

Run as a script: `python -I -S guard.py SUPERVISOR_PID SIGNAL COMMAND ...`. A program of its own and
not a `preexec_fn`, because Python code between fork and exec can deadlock when there are threads.
Standard library only, and little of it: it runs before every part.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h: the signal that this process gets when the thread that started it ends."""


def main(argv: list[str]) -> None:
    supervisor, signal, command = int(argv[0]), int(argv[1]), argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
        if os.getppid() != supervisor:
            sys.exit(1)  # it died before the signal was asked for
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
