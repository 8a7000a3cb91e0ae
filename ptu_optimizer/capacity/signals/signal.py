"""Everything that can become known about a deployment, under one name."""

from __future__ import annotations

from .alert import Alert
from .learned import Learned
from .minute import Minute
from .reading import Reading
from .usage import UsageWindows

Signal = Reading | Minute | UsageWindows | Alert | Learned
