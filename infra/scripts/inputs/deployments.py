"""PTU_DEPLOYMENTS and PTU_SPILLOVER_DEPLOYMENTS, read as infra/main.bicep reads them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from infra.scripts.inputs import CREATED_SPILLOVER, Inputs, mend
from infra.scripts.inputs.app_rules import fit
from infra.scripts.inputs.app_values import models, parsed
from infra.scripts.tools import is_true

PTUS = "PTU_DEPLOYMENTS"
SPILLOVER = "PTU_SPILLOVER_DEPLOYMENTS"
COUNT = re.compile(r"[1-9][0-9]*")


class Named(NamedTuple):
    """One entry of a list: a deployment that exists, as somebody describes it."""

    name: str
    model: str
    size: int
    """PTUs, or tokens a minute."""
    more: str | None
    """Where it spills over to, or requests a minute."""

    def __str__(self) -> str:
        return ":".join(
            [self.name, self.model, str(self.size), *([self.more] if self.more else [])]
        )


def read(inputs: Inputs, variable: str) -> tuple[list[Named], list[str]]:
    """The entries that are well formed, and the texts of those that are not."""
    good, bad = [], []
    for text in inputs.text(variable).split(",") if inputs.text(variable) else []:
        pieces = [one.strip() for one in text.split(":")]
        size = pieces[2] if len(pieces) in {3, 4} and all(pieces) else ""
        more = pieces[3] if len(pieces) == 4 else None
        numbers = [size] if variable == PTUS or more is None else [size, more]
        if all(COUNT.fullmatch(one) for one in numbers):
            good.append(Named(pieces[0], pieces[1], int(size), more))
        else:
            bad.append(text.strip())
    return good, bad


def written(entries: list[Named]) -> str:
    """As a list of one of the variables."""
    return ",".join(str(one) for one in entries)


def problems(inputs: Inputs) -> list[str]:
    ptus, bad_ptus = read(inputs, PTUS)
    spillover, bad_spillover = read(inputs, SPILLOVER)
    found = [
        f"{PTUS} has {one!r}, which is not name:model:ptus or name:model:ptus:spillover"
        + mend(PTUS, "gpt-4.1-ptu:gpt-4.1:50")
        for one in bad_ptus
    ]
    found += [
        f"{SPILLOVER} has {one!r}, which is not name:model:tpm or name:model:tpm:rpm"
        + mend(SPILLOVER, "gpt-4.1-payg:gpt-4.1:100000")
        for one in bad_spillover
    ]
    creates = is_true(inputs.text("CREATE_PTU_DEPLOYMENT"))
    if not ptus and not bad_ptus and not creates:
        found.append(
            "Which PTU deployments are to be filled? name:model:ptus, such as"
            + mend(PTUS, "gpt-4.1-ptu:gpt-4.1:50")
        )
    if is_true(inputs.text("CREATE_SPILLOVER_DEPLOYMENT")) and not creates:
        found.append(
            "CREATE_SPILLOVER_DEPLOYMENT makes a pay-as-you-go deployment for a PTU deployment "
            "that is created as well; no other may spill over to it. For one of yours make the "
            f"pay-as-you-go deployment yourself and name it in {SPILLOVER}"
            + mend("CREATE_SPILLOVER_DEPLOYMENT", "false")
        )
    found += _created_and_named(inputs, ptus, spillover)
    found += _responses_only(inputs, ptus)
    if not bad_ptus and not bad_spillover and "DEPLOYMENTS" not in inputs.app_settings:
        found += _do_not_fit(inputs, ptus, spillover)
    return found


def of_the_app(
    inputs: Inputs, ptus: list[Named], spillover: list[Named]
) -> tuple[list[Any], list[Any]]:
    """DEPLOYMENTS and SPILLOVER_DEPLOYMENTS, as infra/main.bicep makes them."""
    made: list[Any] = []
    made_spillover: list[Any] = []
    model = inputs.text("PTU_MODEL", "gpt-4.1")
    if is_true(inputs.text("CREATE_SPILLOVER_DEPLOYMENT")):
        # a number that is none is told as such
        tpm = max(inputs.number("SPILLOVER_THOUSAND_TPM", 100) or 0, 1) * 1000
        made_spillover.append({"name": CREATED_SPILLOVER, "model": model, "tpm": tpm})
    if is_true(inputs.text("CREATE_PTU_DEPLOYMENT")):
        count = max(inputs.number("PTU_COUNT", 0) or 0, 1)
        spills = {"spillover": CREATED_SPILLOVER} if made_spillover else {}
        name = inputs.text("PTU_DEPLOYMENT_NAME", "ptu")
        made.append({"name": name, "model": model, "ptus": count, **spills})
    for one in ptus:
        spills = {"spillover": one.more} if one.more else {}
        made.append({"name": one.name, "model": one.model, "ptus": one.size, **spills})
    for one in spillover:
        pace = {"rpm": int(one.more)} if one.more else {}
        made_spillover.append({"name": one.name, "model": one.model, "tpm": one.size, **pace})
    return made, made_spillover


def created_names(inputs: Inputs) -> set[str]:
    """Names of the deployments that infra/main.bicep would create."""
    names = set()
    if is_true(inputs.text("CREATE_PTU_DEPLOYMENT")):
        names.add(inputs.text("PTU_DEPLOYMENT_NAME", "ptu"))
    if is_true(inputs.text("CREATE_SPILLOVER_DEPLOYMENT")):
        names.add(CREATED_SPILLOVER)
    return names


def _do_not_fit(inputs: Inputs, ptus: list[Named], spillover: list[Named]) -> list[str]:
    """By the app's rules. What is said of created deployments elsewhere is left out here."""
    created = created_names(inputs)
    ptus = [one for one in ptus if one.name not in created]
    spillover = [one for one in spillover if one.name not in created]
    further = inputs.app_settings.get("MODELS") or "{}"
    known = inputs.known_models | (frozenset() if models(further) else frozenset(parsed(further)))
    if created:
        known |= {inputs.text("PTU_MODEL", "gpt-4.1")}
    missing = {one.more for one in ptus if one.more} - {one.name for one in spillover} - created
    wanted = spillover + [
        Named(one.more, one.model, 100_000, None) for one in ptus if one.more in missing
    ]
    made, made_spillover = of_the_app(inputs, ptus, spillover)
    return [
        problem + mend(PTUS, written(ptus)) + (mend(SPILLOVER, written(wanted)) if wanted else "")
        for problem in fit(made, made_spillover, known_models=known, names=(PTUS, SPILLOVER))
    ]


def _created_and_named(inputs: Inputs, ptus: list[Named], spillover: list[Named]) -> list[str]:
    """One deployment would be described twice, and its size by two variables."""
    created = created_names(inputs)
    found = [
        f"{variable} names {name}, which this environment creates: leave it out there"
        + mend(variable, written([one for one in entries if one.name != name]))
        for variable, entries in ((PTUS, ptus), (SPILLOVER, spillover))
        for name in sorted(created & {one.name for one in entries})
    ]
    if inputs.text("PTU_DEPLOYMENT_NAME", "ptu") == CREATED_SPILLOVER and len(created) == 1:
        found.append(
            f"PTU_DEPLOYMENT_NAME is {CREATED_SPILLOVER}, the name of the spillover deployment"
            + mend("PTU_DEPLOYMENT_NAME", "ptu")
        )
    return found


def _responses_only(inputs: Inputs, ptus: list[Named]) -> list[str]:
    return [
        f"{PTUS} has {one.name} of {one.model}, which takes the Responses API only; the queue "
        f"sends chat completions ({fact['source']}, {fact['asOf']}). Leave it out"
        + mend(PTUS, written([other for other in ptus if other is not one]))
        for one in ptus
        for fact in [inputs.sizes.get(one.model, {}).get("responsesOnly")]
        if fact
    ]
