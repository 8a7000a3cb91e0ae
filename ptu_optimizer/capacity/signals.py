"""Everything that can become known about a deployment, under one name."""

from __future__ import annotations

from .alert import Alert
from .belief import Learned
from .metric import Minute
from .reading import Reading
from .usage import Usage

Signal = Reading | Minute | Usage | Alert | Learned
