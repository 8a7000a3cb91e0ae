"""PTU_DEPLOYMENTS and PTU_SPILLOVER_DEPLOYMENTS, read as infra/main.bicep reads them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from infra.scripts.inputs import CREATED_SPILLOVER, Inputs, further, mend
from infra.scripts.inputs.app_rules import fit
from infra.scripts.inputs.app_values import models, parsed
from infra.scripts.inputs.further import BY_AZ, FURTHER
from infra.scripts.tools import is_true

PTUS = "PTU_DEPLOYMENTS"
SPILLOVER = "PTU_SPILLOVER_DEPLOYMENTS"
FORMS = (
    "; of a further account name@label, or name=deployment@label, where the name has letters, "
    "digits, '-', '_' and '.'"
)
COUNT = re.compile(r"[1-9][0-9]*")
OWN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""A name that the user gives: the names of alert rules are made of it."""


class Named(NamedTuple):
    """One entry of a list: a deployment that exists, as somebody describes it."""

    name: str
    """In the app."""
    model: str
    size: int
    """PTUs, or tokens a minute."""
    more: str | None
    """Where it spills over to, or requests a minute."""
    deployment: str = ""
    """Its name in Azure, if that is another one."""
    label: str = ""
    """Of its account, if that is a further one."""

    @property
    def in_azure(self) -> str:
        return self.deployment or self.name

    @property
    def place(self) -> str:
        """`name`, `name@label` or `name=deployment@label`."""
        name = f"{self.name}={self.deployment}" if self.deployment else self.name
        return f"{name}@{self.label}" if self.label else name

    def __str__(self) -> str:
        return ":".join(
            [self.place, self.model, str(self.size), *([self.more] if self.more else [])]
        )


def read(inputs: Inputs, variable: str) -> tuple[list[Named], list[str]]:
    """The entries that are well formed, and the texts of those that are not."""
    good, bad = [], []
    for text in inputs.text(variable).split(",") if inputs.text(variable) else []:
        pieces = [one.strip() for one in text.split(":")]
        size = pieces[2] if len(pieces) in {3, 4} and all(pieces) else ""
        more = pieces[3] if len(pieces) == 4 else None
        numbers = [size] if variable == PTUS or more is None else [size, more]
        place = _place(pieces[0])
        if place is not None and all(COUNT.fullmatch(one) for one in numbers):
            name, deployment, label = place
            good.append(Named(name, pieces[1], int(size), more, deployment, label))
        else:
            bad.append(text.strip())
    return good, bad


def _place(text: str) -> tuple[str, str, str] | None:
    """(name, deployment, label) of `name=deployment@label`; None if it is malformed."""
    names, at, label = (one.strip() for one in text.partition("@"))
    name, equals, deployment = (one.strip() for one in names.partition("="))
    if not name or bool(at) != bool(label) or bool(equals) != bool(deployment):
        return None
    if any(mark in one for mark in "@=" for one in (deployment, label)):
        return None
    if equals and not OWN_NAME.fullmatch(name):
        return None
    return name, deployment, label


def written(entries: list[Named]) -> str:
    """As a list of one of the variables."""
    return ",".join(str(one) for one in entries)


def problems(inputs: Inputs) -> list[str]:
    ptus, bad_ptus = read(inputs, PTUS)
    spillover, bad_spillover = read(inputs, SPILLOVER)
    found = [
        f"{PTUS} has {one!r}, which is not name:model:ptus or name:model:ptus:spillover{FORMS}"
        + mend(PTUS, "gpt-4.1-ptu:gpt-4.1:50")
        for one in bad_ptus
    ]
    found += [
        f"{SPILLOVER} has {one!r}, which is not name:model:tpm or name:model:tpm:rpm{FORMS}"
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
    found += _no_such_account(inputs, [*ptus, *spillover])
    found += _same_but_for_case(ptus, spillover)
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
        made.append(
            {"name": one.name, "model": one.model, "ptus": one.size, **spills, **_of(one, inputs)}
        )
    for one in spillover:
        pace = {"rpm": int(one.more)} if one.more else {}
        made_spillover.append(
            {"name": one.name, "model": one.model, "tpm": one.size, **pace, **_of(one, inputs)}
        )
    return made, made_spillover


def _of(one: Named, inputs: Inputs) -> dict[str, str]:
    """What the app is told of its place. Addresses stand for those that are not known yet."""
    found = {"deployment": one.deployment} if one.deployment else {}
    if one.label:
        ids = {account.label: account.id for account in further.named(inputs)}
        found["endpoint"] = f"https://{one.label}.openai.azure.com/"
        found["resource_id"] = ids.get(one.label, "/subscriptions/s/resourceGroups/g/providers/p")
        found["monitor_endpoint"] = f"https://{one.label}.metrics.monitor.azure.com"
    return found


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
    ptus = [one for one in ptus if one.label or one.name not in created]
    spillover = [one for one in spillover if one.label or one.name not in created]
    further = inputs.app_settings.get("MODELS") or "{}"
    known = inputs.known_models | (frozenset() if models(further) else frozenset(parsed(further)))
    if created:
        known |= {inputs.text("PTU_MODEL", "gpt-4.1")}
    missing = {one.more for one in ptus if one.more} - {one.name for one in spillover} - created
    wanted = spillover + [
        Named(one.more, one.model, 100_000, None, label=one.label)
        for one in ptus
        if one.more and one.more in missing
    ]
    made, made_spillover = of_the_app(inputs, ptus, spillover)
    mended = _mended(ptus, wanted)
    return [
        problem + mended
        for problem in fit(made, made_spillover, known_models=known, names=(PTUS, SPILLOVER))
    ]


def _created_and_named(inputs: Inputs, ptus: list[Named], spillover: list[Named]) -> list[str]:
    """One deployment would be described twice, and its size by two variables."""
    created = created_names(inputs)
    found = [
        f"{variable} names {name}, which this environment creates: leave it out there"
        + mend(variable, written([one for one in entries if one.label or one.name != name]))
        for variable, entries in ((PTUS, ptus), (SPILLOVER, spillover))
        for name in sorted(created & {one.name for one in entries if not one.label})
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


def _no_such_account(inputs: Inputs, entries: list[Named]) -> list[str]:
    labels = {one.label for one in further.named(inputs)}
    missing = {one.label: one for one in entries if one.label and one.label not in labels}
    return [
        f"{one.place} is on the account {label}, which {FURTHER} does not name"
        f"\n    azd env set {FURTHER} {BY_AZ.replace('LABEL', label)}"
        for label, one in missing.items()
    ]


def _same_but_for_case(ptus: list[Named], spillover: list[Named]) -> list[str]:
    """Azure does not tell the names of their alert rules apart."""
    names: dict[str, str] = {}
    found = []
    for one in [*ptus, *spillover]:
        other = names.setdefault(one.name.lower(), one.name)
        if other != one.name:
            found.append(
                f"{other} and {one.name} differ by capital letters only; give one of them another "
                "name, such as name=deployment" + _mended(ptus, spillover)
            )
    return found


def _mended(ptus: list[Named], spillover: list[Named]) -> str:
    ptus, spillover = _with_names_of_their_own(ptus, spillover)
    return mend(PTUS, written(ptus)) + (mend(SPILLOVER, written(spillover)) if spillover else "")


def _with_names_of_their_own(
    ptus: list[Named], spillover: list[Named]
) -> tuple[list[Named], list[Named]]:
    """The lists as they may have been meant: a name that is used twice gets its account's label."""
    taken: set[str] = set()
    changed: dict[tuple[str, str], str] = {}

    def own(one: Named) -> Named:
        name = one.name
        if name.lower() in taken and one.label:
            name = f"{one.name}-{one.label}"
            changed[one.name, one.label] = name
        taken.add(name.lower())
        return one if name == one.name else one._replace(name=name, deployment=one.in_azure)

    ptus, spillover = [own(one) for one in ptus], [own(one) for one in spillover]
    return [
        one._replace(more=changed.get((one.more or "", one.label), one.more)) for one in ptus
    ], spillover


def unused_accounts(inputs: Inputs) -> list[str]:
    """Further accounts with nothing on them to fill: no mistake, and to be known."""
    used = {one.label for variable in (PTUS, SPILLOVER) for one in read(inputs, variable)[0]}
    return [
        f"{FURTHER} has {one.label}, and neither {PTUS} nor {SPILLOVER} has a deployment on it: "
        "the app gets a role there that it does not use."
        for one in further.named(inputs)
        if one.label not in used
    ]
