"""What is to be created on the account, and rules for it that need no answer of Azure's."""

from __future__ import annotations

import re
from dataclasses import dataclass

from infra.scripts import prices
from infra.scripts.inputs import CREATED_SPILLOVER, Inputs, mend
from infra.scripts.tools import is_true

VERSION = "2025-04-14"
"""Of the model that is the default, gpt-4.1: infra/main.bicep."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Asked:
    """A deployment as it is asked for."""

    name: str
    model: str
    version: str
    sku: str
    capacity: int

    def __str__(self) -> str:
        unit = "PTUs" if prices.is_provisioned(self.sku) else "thousand tokens a minute"
        return f"{self.name}: {self.capacity} {unit} of {self.model} {self.version} ({self.sku})"

    @property
    def price(self) -> str:
        return prices.told(self.sku, self.capacity)


def asked(inputs: Inputs) -> list[Asked]:
    """The deployments that infra/main.bicep would create or change."""
    model = inputs.text("PTU_MODEL", "gpt-4.1")
    version = inputs.text("PTU_MODEL_VERSION", VERSION)
    found = []
    if is_true(inputs.text("CREATE_PTU_DEPLOYMENT")):
        found.append(
            Asked(
                name=inputs.text("PTU_DEPLOYMENT_NAME", "ptu"),
                model=model,
                version=version,
                sku=inputs.text("PTU_SKU", "GlobalProvisionedManaged"),
                capacity=inputs.number("PTU_COUNT", 0) or 0,
            )
        )
    if is_true(inputs.text("CREATE_SPILLOVER_DEPLOYMENT")):
        found.append(
            Asked(
                name=CREATED_SPILLOVER,
                model=model,
                version=version,
                sku="GlobalStandard",
                capacity=inputs.number("SPILLOVER_THOUSAND_TPM", 100) or 0,
            )
        )
    return found


def problems(inputs: Inputs) -> list[str]:
    if not is_true(inputs.text("CREATE_PTU_DEPLOYMENT")):
        return []
    ptu = asked(inputs)[0]
    found = []
    if not NAME.fullmatch(ptu.name):
        found.append(
            f"PTU_DEPLOYMENT_NAME is {ptu.name!r}; a name has letters, digits, '-', '_' and '.', "
            "64 at most" + mend("PTU_DEPLOYMENT_NAME", "ptu")
        )
    if inputs.text("PTU_MODEL") and not inputs.text("PTU_MODEL_VERSION"):
        version = VERSION if ptu.model == "gpt-4.1" else "VERSION"
        found.append(
            f"PTU_MODEL is {ptu.model}, without its version; versions of one model do not fit "
            "another\n"
            "    az cognitiveservices account list-models -g GROUP -n NAME "
            '--query "[].[name,version]" -o tsv' + mend("PTU_MODEL_VERSION", version)
        )
    return found + _count(inputs, ptu)


def _count(inputs: Inputs, ptu: Asked) -> list[str]:
    if ptu.sku not in prices.USD_PER_PTU_HOUR:
        return []  # inputs/words.py tells it
    if ptu.model not in inputs.sizes:
        return [
            f"PTU_MODEL is {ptu.model!r}, which infra/ptu-models.json lacks: add its line from "
            "Microsoft's sizing page, or take one of its models" + mend("PTU_MODEL", "gpt-4.1")
        ]
    size = inputs.sizes[ptu.model]["regional" if ptu.sku == "ProvisionedManaged" else "wide"]
    least, step = size["minimum"], size["increment"]
    count = inputs.number("PTU_COUNT", 0)
    if count is None or count < 0:
        return []  # inputs/words.py tells it
    if not count:
        return [
            f"CREATE_PTU_DEPLOYMENT needs a count, which is never guessed. {least} PTUs of "
            f"{ptu.model} ({ptu.sku}) cost {prices.told(ptu.sku, least)} by list price, from the "
            "minute they are created until they are deleted, whether they work or not."
            + mend("PTU_COUNT", str(least))
        ]
    if count < least or (count - least) % step:
        nearest = max(least, least + (count - least) // step * step)
        return [
            f"PTU_COUNT is {count}; {ptu.model} ({ptu.sku}) comes from {least} PTUs on, in steps "
            f"of {step}" + mend("PTU_COUNT", str(nearest))
        ]
    return []
