"""A stand-in for Azure behind `az`: it keeps resources, deletes them, and refuses on demand.

The same answers come to an injected runner and from a real executable `az` on the PATH (`Machine`),
whose state is a file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.scripts.tools import Done

# not from tests.infra.azd.places: the stubs start often, and that reads all schemas
ROOT = Path(__file__).resolve().parents[3]
INFRA = ROOT / "infra"

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
ELSEWHERE = "22222222-2222-2222-2222-222222222222"
"""The subscription of the user's account."""

NOT_LOGGED_IN = "ERROR: Please run 'az login' to setup account."
NO_RIGHT = (
    'ERROR: Forbidden({"error":{"code":"AuthorizationFailed","message":"The client \'me\' does '
    'not have authorization to perform the action"}})'
)
CONFLICT = 'ERROR: Conflict({"error":{"code":"RequestConflict","message":"Try again later."}})'


def group_id(name: str, subscription: str = SUBSCRIPTION) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{name}"


class FakeAzure:
    """`state` is JSON: groups by id, resources by id, and what is refused."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self.state: dict[str, Any] = {
            "resources": {}, "refused": {}, "lingering": [], "calls": [], **(state or {})
        }  # fmt: skip

    # --- what a test sets up

    def put(self, resource_id: str, **body: Any) -> str:
        """A resource, or a resource group."""
        self.state["resources"][resource_id] = {
            "id": resource_id, "name": resource_id.rpartition("/")[2], **body
        }  # fmt: skip
        return resource_id

    def remove_group(self, name: str, subscription: str = SUBSCRIPTION) -> None:
        """As azd down does. Azure keeps deleted accounts and gateways."""
        whole = group_id(name, subscription).lower()
        for one in list(self.state["resources"]):
            if one.lower() == whole or one.lower().startswith(f"{whole}/"):
                body = self.state["resources"].pop(one)
                self._keep(one, body)

    def refuse(self, part_of_command: str, error: str, *, code: int = 1) -> None:
        """Commands that contain this text fail."""
        self.state["refused"][part_of_command] = [code, error]

    def linger(self, resource_id: str) -> None:
        """Its deletion is accepted and never comes."""
        self.state["lingering"].append(resource_id)

    # --- what a test looks at

    @property
    def ids(self) -> set[str]:
        return set(self.state["resources"])

    @property
    def calls(self) -> list[str]:
        return [" ".join(one) for one in self.state["calls"]]

    @property
    def changes(self) -> list[str]:
        """Commands of `az` that delete, create or purge."""
        words = (" delete ", " purge ", " create ", " put ", " patch ", " set ", " update ")
        calls = [one for one in self.calls if one.startswith("az ")]
        return [one for one in calls if any(word in f"{one} " for word in words)]

    @property
    def cleared(self) -> list[str]:
        """Variables that were set to nothing in azd's environment."""
        return [
            one[3] for one in self.state["calls"] if one[:3] == ["azd", "env", "set"] and not one[4]
        ]

    # --- what `az` and `azd` answer

    def runner(self, command: Sequence[str]) -> Done:
        self.state["calls"].append(list(command))
        for part, (code, error) in self.state["refused"].items():
            if part in " ".join(command):
                return Done(code, "", error)
        if command[0] == "azd":
            return Done(0, "", "")
        return self._answer(_options(command[1:]))

    def _answer(self, asked: dict[str, Any]) -> Done:
        verb = " ".join(asked["words"])
        if verb == "group show":
            return self._get(group_id(asked["--name"], asked["--subscription"]))
        if verb == "cognitiveservices account purge":
            return self._purge("/deletedAccounts/", asked["--name"])
        if verb == "apim deletedservice purge":
            return self._purge("/deletedservices/", asked["--service-name"])
        if verb == "deployment sub create":
            return Done(0, "{}", "")
        if verb == "rest":
            return self._rest(asked["--method"], asked["--url"], asked["--url-parameters"])
        raise AssertionError(f"az {verb} is not stubbed")

    def _rest(self, method: str, url: str, parameters: Mapping[str, str]) -> Done:
        assert parameters["api-version"]
        if method == "post":
            return Done(0, json.dumps(self.state["resources"].get(url, {})), "")
        if method == "delete":
            found = self._found(url)
            if found and found not in self.state["lingering"]:
                del self.state["resources"][found]
            return Done(0, "", "")
        last = url.rpartition("/")[2]
        if self._found(url) or last not in _COLLECTIONS:
            return self._get(url)
        return self._list(url, last, parameters)

    def _list(self, url: str, kind: str, parameters: Mapping[str, str]) -> Done:
        scope = url.rpartition("/providers/" if "/providers/" in url else "/")[0]
        account = url.rpartition("/")[0] if kind == "deployments" else None
        if account and not self._found(account):
            return _not_found(account)
        found = [
            body
            for one, body in self.state["resources"].items()
            if _in_collection(one, url=url, kind=kind, scope=scope)
        ]
        principal = re.fullmatch(r"principalId eq '(.*)'", parameters.get("$filter", ""))
        if principal:
            found = [one for one in found if one["properties"]["principalId"] == principal[1]]
        # two pages, so that whoever lists must read on
        skip = int(parameters.get("$skiptoken", 0))
        page: dict[str, Any] = {"value": found[skip : skip + 1]}
        if skip + 1 < len(found):
            more = "&".join(f"{n}={v}" for n, v in {**parameters, "$skiptoken": skip + 1}.items())
            page["nextLink"] = f"https://management.azure.com{url}?{more}"
        return Done(0, json.dumps(page), "")

    def _get(self, resource_id: str) -> Done:
        found = self._found(resource_id)
        if found is None:
            return _not_found(resource_id)
        return Done(0, json.dumps(self.state["resources"][found]), "")

    def _found(self, resource_id: str) -> str | None:
        return next(
            (one for one in self.state["resources"] if one.lower() == resource_id.lower()), None
        )

    def _purge(self, kind: str, name: str) -> Done:
        found = [one for one in self.state["resources"] if one.endswith(f"{kind}{name}")]
        for one in found:
            del self.state["resources"][one]
        return Done(0, "", "") if found else _not_found(name)

    def _keep(self, one: str, body: dict[str, Any]) -> None:
        kind, place = str(body.get("type", "")).lower(), body.get("location", "swedencentral")
        name, (_, _, subscription, _, group, *_) = body["name"], one.split("/")
        provider = f"/subscriptions/{subscription}/providers"
        if kind == "microsoft.cognitiveservices/accounts":
            self.put(
                f"{provider}/Microsoft.CognitiveServices/locations/{place}/resourceGroups/{group}"
                f"/deletedAccounts/{name}",
                tags=body.get("tags"),
            )
        if kind == "microsoft.apimanagement/service":
            self.put(
                f"{provider}/Microsoft.ApiManagement/locations/{place}/deletedservices/{name}",
                location=place,
                properties={"serviceId": one},
            )


_COLLECTIONS = frozenset(
    {
        "deletedAccounts", "deletedservices", "deployments", "metricAlerts", "resources",
        "roleAssignments",
    }
)  # fmt: skip


def _in_collection(one: str, *, url: str, kind: str, scope: str) -> bool:
    inside = one.lower().startswith(f"{scope.lower()}/")
    if kind == "resources":
        return inside and one.count("/") == 8 and "metricAlerts" not in one
    if kind in {"deletedAccounts", "deletedservices"}:
        return f"/{kind}/" in one
    if kind == "deployments":
        return one.lower().startswith(f"{url.lower()}/")
    return inside and f"/{kind}/" in one


def _not_found(what: str) -> Done:
    return Done(
        3, "", f'ERROR: Not Found({{"error":{{"code":"ResourceNotFound","message":"{what}"}}}})'
    )


def _options(command: Sequence[str]) -> dict[str, Any]:
    """The words of a command, and its options. Every command names its subscription."""
    asked: dict[str, Any] = {"words": []}
    option = ""
    for one in command:
        if one.startswith("--"):
            option = one
            asked[option] = {} if option == "--url-parameters" else ""
        elif not option:
            asked["words"].append(one)
        elif option == "--url-parameters":
            name, _, value = one.partition("=")
            asked[option][name] = value
        else:
            asked[option] = one
    assert asked.get("--subscription"), f"no --subscription: {command}"
    host = "https://management.azure.com"
    asked["--url"] = asked.get("--url", "").removeprefix(host)
    return asked


# --- a machine -----------------------------------------------------------------------------------


class Machine:
    """A machine with `az` and `azd` on its PATH, and a copy of the project for its hooks."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.programs = folder / "programs"
        self.state = folder / "azure.json"
        shutil.copytree(INFRA, self.project / "infra", ignore=shutil.ignore_patterns("__pycache__"))
        for one in ("local.settings.json.example", "ptu_optimizer/capacity/models.json"):
            (self.project / one).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / one, self.project / one)
        self.programs.mkdir()
        for name in ("az", "azd"):
            self._program(
                name,
                f"#!{sys.executable}\n"
                f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
                "from tests.infra.azd.fake_azure import stub\n"
                f"sys.exit(stub({str(self.state)!r}, [{name!r}, *sys.argv[1:]]))\n",
            )
        self.azure = FakeAzure()

    def _program(self, name: str, text: str) -> None:
        program = self.programs / name
        program.write_text(text, encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def without(self, name: str) -> None:
        (self.programs / name).unlink()

    def hook(
        self, event: str, env: Mapping[str, str], *arguments: str, python: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a hook as azd does, without a terminal."""
        self.state.write_text(json.dumps(self.azure.state), encoding="utf-8")
        tools = self.programs.parent / "tools"
        tools.mkdir(exist_ok=True)
        # no more of the system than the scripts ask for: its own Python is not among it
        for name in ("sh", "dirname", "env", "cat"):
            if not (tools / name).exists():
                (tools / name).symlink_to(str(shutil.which(name)))
        path = [str(self.programs), str(tools)]
        if python:
            path.append(str(Path(sys.executable).parent))
        done = subprocess.run(
            [
                str(tools / "sh"),
                str(self.project / "infra" / "scripts" / f"{event}.sh"),
                *arguments,
            ],
            env={"PATH": os.pathsep.join(path), **env},
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.azure = FakeAzure(json.loads(self.state.read_text(encoding="utf-8")))
        return done


def stub(state: str, command: Sequence[str]) -> int:
    """What the executables run."""
    file = Path(state)
    azure = FakeAzure(json.loads(file.read_text(encoding="utf-8")))
    files = [Path(one[1:]).read_text(encoding="utf-8") for one in command if one.startswith("@")]
    done = azure.runner(command)
    azure.state["calls"][-1] += files
    file.write_text(json.dumps(azure.state), encoding="utf-8")
    if done.out:
        print(done.out)
    if done.error:
        print(done.error, file=sys.stderr)
    return done.code
