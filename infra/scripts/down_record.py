"""What predown writes for postdown: ids outside the group, and names that Azure keeps after it.

postdown deletes nothing outside the group whose id is neither in here nor tagged. Once the group is
gone its identities are, too, and nothing else tells which role assignments were theirs.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from infra.scripts.down_env import distinct
from infra.scripts.tools import HookError

ROLE_ASSIGNMENT = re.compile(
    r"(?i)^/subscriptions/.+/providers/Microsoft\.Authorization/roleAssignments/[0-9a-f-]{36}$"
)
ALERT_RULE = re.compile(
    r"(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Insights/metricAlerts/[^/]+$"
)
DEPLOYMENT = re.compile(
    r"(?i)^(?P<account>/subscriptions/[^/]+/resourceGroups/[^/]+/providers"
    r"/Microsoft\.CognitiveServices/accounts/[^/]+)/deployments/[^/]+$"
)


@dataclass(frozen=True)
class Record:
    """Resource ids. All are of one environment, whose own groups `groups` are."""

    groups: tuple[str, ...] = ()
    role_assignments: tuple[str, ...] = ()
    alert_rules: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    """On accounts of the user's, with this environment's tags."""
    accounts: tuple[str, ...] = ()
    """In the own groups, with this environment's tag."""
    gateways: tuple[str, ...] = ()

    @property
    def ids(self) -> list[str]:
        """All but the groups."""
        names = [one.name for one in fields(self) if one.name != "groups"]
        return [one for name in names for one in getattr(self, name)]

    def is_of(self, other: Record) -> bool:
        """Whether both are of the same groups."""
        return {one.lower() for one in self.groups} == {one.lower() for one in other.groups}

    def with_earlier(self, earlier: Record) -> Record:
        """Also what an earlier run recorded and postdown has not done yet. Not that of other
        groups: they may still be there, and what is theirs may be in use."""
        if not self.is_of(earlier):
            return self
        return replace(
            self,
            **{
                one.name: tuple(distinct([*getattr(self, one.name), *getattr(earlier, one.name)]))
                for one in fields(self)
            },
        )

    def without(self, done: Iterable[str]) -> Record:
        """What is left when these ids are dealt with."""
        gone = {one.lower() for one in done}
        return replace(
            self,
            **{
                one.name: tuple(i for i in getattr(self, one.name) if i.lower() not in gone)
                for one in fields(self)
                if one.name != "groups"
            },
        )


def path(root: Path, environment: str) -> Path:
    return root / ".azure" / environment / "down.json"


def load(file: Path) -> Record:
    """An empty record if there is no file. Raises HookError for one that is not ours to read."""
    if not file.exists():
        return Record()
    try:
        return _read(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise HookError(
            f"{file} cannot be read ({error}), so nothing outside the group is deleted. Look into "
            "it, then delete it or move it away."
        ) from None


def _read(content: Any) -> Record:
    known = {one.name: tuple(content.get(one.name, ())) for one in fields(Record)}
    if not all(isinstance(i, str) for ids in known.values() for i in ids):
        raise ValueError("not every id is text")
    shapes = (
        ("role_assignments", ROLE_ASSIGNMENT),
        ("alert_rules", ALERT_RULE),
        ("deployments", DEPLOYMENT),
    )
    for name, shape in shapes:
        for one in known[name]:
            if not shape.match(one):
                raise ValueError(f"{name} has {one!r}")
    return Record(**known)


def save(file: Path, record: Record) -> None:
    """Whole or not at all: a run that is broken off leaves the earlier file. An empty record leaves
    no file."""
    if not record.ids:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f"{file.name}.new")
    with half.open("w", encoding="utf-8") as stream:
        json.dump(asdict(record), stream, indent=2)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    half.replace(file)
