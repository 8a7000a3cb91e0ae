"""Logging: a constant message, its details in `extra`, never a body or a key."""

from __future__ import annotations

import logging

ROOT = "ptu_optimizer"


def logger(name: str) -> logging.Logger:
    """The logger of one module; Application Insights groups by its constant messages."""
    return logging.getLogger(f"{ROOT}.{name}")
