"""azure-functions-runtime exists for Python 3.13 and later only."""

from __future__ import annotations

import importlib.util

collect_ignore = (
    [] if importlib.util.find_spec("azure_functions_runtime") else ["test_real_runtime.py"]
)
