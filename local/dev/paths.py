"""Where things are in the repository. Everything `./dev` writes is in `.venv/`, `.local/`,
`.cache/`, `docs/assets/vendor/` and folders `node_modules/`, all ignored by git and safe to
delete."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENVS = ROOT / ".venv"
STATE = ROOT / ".local"
LOGS = STATE / "logs"
REQUIREMENTS = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
AZURITE = ROOT / "local" / "azurite"
