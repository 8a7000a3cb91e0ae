"""The shape of a document on its way to a store or a service: a JSON object."""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]
