"""Parts that are tiny scripts, so that the supervisor's tests need none of the real ones."""

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from local.system.commands import Commands
from local.system.options import Options
from local.system.part import Part

WELL_BEHAVED = """
import signal, sys, threading
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
print("ready http://127.0.0.1:1/", flush=True)
stop.wait(60)
{journal}
"""

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready http://127.0.0.1:1/", flush=True)
time.sleep(60)
"""

WITH_WORKER = """
import signal, subprocess, sys, threading
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
worker = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
print("ready http://127.0.0.1:1/", flush=True)
stop.wait(60)
worker.kill()
"""

STILLBORN = """
import sys
print("port 1 is taken", file=sys.stderr)
sys.exit(3)
"""

SHORT_LIVED = """
import time
print("ready http://127.0.0.1:1/", flush=True)
time.sleep(0.1)
print("I give up", flush=True)
"""


class StandIns(Commands):
    """Hands out scripts; `scripts` replaces the well-behaved one of a part by another."""

    def __init__(self, folder: Path, **scripts: str) -> None:
        super().__init__({})
        self.folder = folder
        self.scripts = scripts
        self.handed_out: list[Part] = []
        self.settings_written: set[Path] = set()
        self.journal = folder / "journal"
        self.journal.touch()

    def ends(self) -> list[str]:
        """The parts that ended in order, in that order."""
        return self.journal.read_text().split()

    def write_settings(self, folder: Path, settings: Mapping[str, str]) -> None:
        super().write_settings(folder, settings)
        self.settings_written.add(folder)

    def azurite(self, options: Options) -> Part:
        return self.script("azurite")

    def servers(self, options: Options) -> list[Part]:
        return [self.script("cosmos"), self.script("ptu")]

    def host(self, options: Options, *, index: int, folder: Path) -> Part:
        return self.script(f"host-{index}")

    def script(self, name: str) -> Part:
        file = self.folder / f"{name}.py"
        journal = f'with open({str(self.journal)!r}, "a") as f: f.write("{name}\\n")'
        source = self.scripts.get(name.replace("-", "_"), WELL_BEHAVED)
        file.write_text(textwrap.dedent(source.replace("{journal}", journal)))
        part = Part(
            name=name,
            command=[sys.executable, "-S", str(file)],
            log=self.folder / f"{name}.log",
            environ={},
            cwd=self.folder,
        )
        self.handed_out.append(part)
        return part
