"""What a process loads before its first event: every function pays for it at a cold start."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SETTINGS: dict[str, str] = {
    **json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))["Values"],
    "REQUEST_ID_KEY": "a key of this test, long enough",
}
LOADED = "import json, sys, function_app; print(json.dumps(sorted(sys.modules)))"


def test_the_app_loads_without_what_only_some_functions_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=ROOT,
        env=SETTINGS,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = set(json.loads(done.stdout))
    assert "ptu_optimizer.requests.dispatch.dispatcher" in loaded
    needed_by_some = {"openai", "bpe_openai", "azure.monitor.querymetrics", "azure.keyvault", "jwt"}
    assert not loaded & needed_by_some
