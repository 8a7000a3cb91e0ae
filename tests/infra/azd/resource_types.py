"""Makes `tests/infra/schemas/azure-resource-types.json` again, after a type or version has changed.

    pip download --no-deps msmcp-azure    # Microsoft's Azure MCP server, a wheel with a binary
    python -m tests.infra.azd.resource_types PATH/TO/azmcp

It has the types that Bicep's own compiler checks against (Azure.Bicep.Types.Az), and tells them of
the newest version of a type. It needs no network. Types that it lacks are written by hand, from
Azure/bicep-types-az `generated/monitor`, in `azure-monitor-types.json`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.bicep.syntax import read

ROOT = Path(__file__).parents[3]
SCHEMAS = ROOT / "tests" / "infra" / "schemas"
BY_HAND = SCHEMAS / "azure-monitor-types.json"
GENERATED = SCHEMAS / "azure-resource-types.json"


def wanted() -> set[str]:
    """Types that the templates create, without those that are written by hand."""
    by_hand = json.loads(BY_HAND.read_text(encoding="utf-8"))
    return {
        resource.resource_type
        for path in (ROOT / "infra").rglob("*.bicep")
        for resource in read(path).resources
        if not resource.existing and resource.type not in by_hand
    }


def compact(answer: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """`Provider/type@version`, and by object type its properties that can be written."""
    entries = answer["results"]["BicepSchemaResult"]
    resource = next(one for one in entries if one["$type"] == "Resource")
    objects: dict[str, Any] = {
        "": _properties(resource["bodyType"]["properties"]),
    }
    for entry in entries:
        if entry["$type"] == "Object":
            objects[entry["name"]] = _properties(entry.get("properties", []))
            if entry.get("additionalPropertiesType"):
                objects[entry["name"]]["*"] = entry["additionalPropertiesType"]
        elif entry["$type"] == "DiscriminatedObject":
            # any of its variants: their properties together
            merged = _properties(entry.get("baseProperties", []))
            for element in entry["elements"]:
                merged.update(objects.get(element.get("name", ""), {}))
            objects[entry["name"]] = {name: kind.rstrip("!") for name, kind in merged.items()} | {
                "*": "any"
            }
    return resource["name"], _reachable(objects)


def _properties(properties: list[dict[str, Any]]) -> dict[str, str]:
    """A trailing `!` says that a property is required; what is read-only is left out."""
    found = {}
    for one in properties:
        flags = one.get("flags") or ""
        if "ReadOnly" not in flags:
            found[one["name"]] = one["type"] + ("!" if "Required" in flags else "")
    return found


def _reachable(objects: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    ahead = [""]
    while ahead:
        name = ahead.pop()
        if name in kept or name not in objects:
            continue
        kept[name] = dict(sorted(objects[name].items()))
        for kind in objects[name].values():
            ahead += [part.rstrip("[]!") for part in str(kind).split(" | ")]
    return dict(sorted(kept.items()))


def main(azmcp: str) -> None:
    types = {}
    for wanted_type in sorted(wanted()):
        done = subprocess.run(
            [azmcp, "bicepschema", "get", "--resource-type", wanted_type],
            stdout=subprocess.PIPE,
            env={"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "HOME": "/tmp"},
            check=True,
        )
        name, objects = compact(json.loads(done.stdout))
        types[name] = objects
    lines = [f"  {json.dumps(name)}: {json.dumps(types[name])}" for name in sorted(types)]
    GENERATED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
