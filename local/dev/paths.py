"""Where things are in the repository. Everything `./dev` writes is in `.venv/`, `.local/` and
`local/azurite/node_modules/`, all of them ignored by git and safe to delete."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENVS = ROOT / ".venv"
STATE = ROOT / ".local"
LOGS = STATE / "logs"
REQUIREMENTS = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
AZURITE = ROOT / "local" / "azurite"
