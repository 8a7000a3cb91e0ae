"""Fixtures of the host's tests."""

from __future__ import annotations

import importlib.util

# azure-functions-runtime exists for Python 3.13 and later only.
collect_ignore = (
    [] if importlib.util.find_spec("azure_functions_runtime") else ["test_runtime_agreement.py"]
)
