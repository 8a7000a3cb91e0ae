"""The commands of `./dev` and their arguments. Standard library only: help needs no set-up."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

EXAMPLES = """\
examples:
  ./dev demo                              the main job, end to end, on this machine
  ./dev demo --hosts 3 --kill-host        the same, with one host killed half-way
  ./dev up                                start the local system and leave it running
  ./dev test                              everything that must hold before a commit
  ./dev test --python 3.11 tests/local    a part of it, on another Python
  ./dev bench throughput --quick          how fast it is beside the bare SDKs
  ./dev bench control --quick             how much of what is idle it fills, and at what cost
  ./dev docs --serve                      the documentation, as a site on this machine

Needs only Python 3.11, 3.12 or 3.13 with venv. The first run installs what is needed into
.venv/ and local/azurite/node_modules/ and takes a few minutes.
"""


@dataclass(frozen=True)
class Command:
    """One command: its module in local/dev/commands is imported only when it is called."""

    name: str
    summary: str
    needs_azurite: bool = False
    needs_site: bool = False
    """What the documentation site is built with."""
    passes_on: bool = False
    """Arguments that the command does not know go to the tool behind it."""

    def module(self) -> ModuleType:
        return importlib.import_module(f"local.dev.commands.{self.name}")


COMMANDS = (
    Command(
        "demo", "play real interactive traffic and fill what it leaves idle", needs_azurite=True
    ),
    Command("up", "start the local system, print its endpoints, stay running", needs_azurite=True),
    Command(
        "test",
        "format, lint, types and tests; arguments go to pytest",
        needs_azurite=True,
        needs_site=True,
        passes_on=True,
    ),
    Command(
        "bench",
        "measure; `./dev bench` lists what there is",
        needs_azurite=True,
        passes_on=True,
    ),
    Command("lint", "format, lint and types only; --fix mends what can be mended"),
    Command("docs", "build the documentation site; --serve shows it", needs_site=True),
)


def parse(argv: Sequence[str]) -> tuple[Command, argparse.Namespace] | None:
    """The command and its arguments, or None when the user only asked what there is.

    Exits as argparse does on a wrong argument or `--help`.
    """
    parser = argparse.ArgumentParser(
        prog="./dev",
        usage="./dev [--python VERSION|PATH] COMMAND [arguments]",
        description="The one command line of this repository.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--python",
        metavar="VERSION|PATH",
        help="which Python to use, such as 3.12 (also: DEV_PYTHON)",
    )
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    called = next((argument for argument in argv if not argument.startswith("-")), None)
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            help=command.summary,
            allow_abbrev=False,
            prog=f"./dev {command.name}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if command.name == called:
            module = command.module()
            sub.description = module.__doc__
            module.add_arguments(sub)
    arguments, rest = parser.parse_known_args(argv)
    if arguments.command is None:
        if rest:
            parser.error(f"no command given before {' '.join(rest)}")
        parser.print_help()
        return None
    command = next(c for c in COMMANDS if c.name == arguments.command)
    if rest and not command.passes_on:
        parser.error(f"unknown arguments for {command.name}: {' '.join(rest)}")
    arguments.rest = [*getattr(arguments, "rest", []), *rest]
    return command, arguments
