"""Booleans, numbers and words from a list: exactly what azd and the templates read.

azd takes the default of the template, silently, for a boolean that Go's ParseBool refuses and for a
number that its ParseInt refuses. ARM compares allowed values without regard to case, the templates
compare with it. So `yes`, `٥٠` and `Autoscale` would each pass and mean something else.
"""

from __future__ import annotations

from infra.scripts.inputs import Inputs, is_number, mend
from infra.scripts.prices import USD_PER_PTU_HOUR
from infra.scripts.tools import FALSE, TRUE

BOOLEANS = (
    "API_MANAGEMENT",
    "ASSIGN_MONITORING_READER",
    "CREATE_OPENAI_ACCOUNT",
    "CREATE_PTU_DEPLOYMENT",
    "CREATE_SPILLOVER_DEPLOYMENT",
    "INBOUND_PRIVATE",
    "OPENAI_PRIVATE_ENDPOINT",
    "PRINCIPAL_MAY_CALL_OPENAI",
    "SMOKE_TEST",
    "VNET_ENABLED",
)

NUMBERS: dict[str, tuple[int, int | None]] = {
    "ALERT_REFUSALS": (0, None),
    "ALERT_UTILIZATION": (50, None),
    "COSMOS_MAXIMUM_THROUGHPUT": (1000, 1_000_000),
    "EVENT_HUBS_CAPACITY": (1, 40),
    "EVENT_HUBS_MAXIMUM_CAPACITY": (0, 40),
    "HTTP_CONCURRENCY": (1, 1000),
    "HUB_PARTITIONS": (1, 32),
    "HUB_RETENTION_DAYS": (1, 90),
    "INSTANCE_MEMORY_MB": (512, 4096),
    "LOG_RETENTION_DAYS": (30, 730),
    "MAXIMUM_INSTANCE_COUNT": (1, 1000),
    "PTU_COUNT": (0, None),
    "SPILLOVER_THOUSAND_TPM": (1, None),
}
"""Least and most, as at the parameters of infra/main.bicep and infra/postdeploy.bicep."""

CHOICES: dict[str, tuple[str, ...]] = {
    "ALERT_AUTHENTICATION": ("key", "entra"),
    "API_MANAGEMENT_SKU": (
        "BasicV2",
        "StandardV2",
        "PremiumV2",
        "Developer",
        "Basic",
        "Standard",
        "Premium",
    ),
    "AZURE_PRINCIPAL_TYPE": ("User", "ServicePrincipal", "Group"),
    "COSMOS_CONSISTENCY": ("Strong", "BoundedStaleness", "Session"),
    "COSMOS_MODE": ("serverless", "autoscale"),
    "EVENT_HUBS_SKU": ("Standard", "Premium"),
    "INSTANCE_MEMORY_MB": ("512", "2048", "4096"),
    "PTU_SKU": tuple(USD_PER_PTU_HOUR),
    "STORAGE_SKU": ("Standard_LRS", "Standard_ZRS", "Standard_GRS", "Standard_GZRS"),
}


def problems(inputs: Inputs) -> list[str]:
    return [*_booleans(inputs), *_numbers(inputs), *_choices(inputs), *_seconds(inputs)]


def _booleans(inputs: Inputs) -> list[str]:
    return [
        f"{name} is {inputs.text(name)!r}, which azd would take for its default: only "
        f"true, 1, t and false, 0, f count (also True, TRUE, T, False, FALSE, F)"
        + mend(name, "true")
        for name in BOOLEANS
        if inputs.text(name, "false") not in TRUE | FALSE
    ]


def _numbers(inputs: Inputs) -> list[str]:
    found = []
    for name, (least, most) in NUMBERS.items():
        text = inputs.text(name)
        if not text or (name in CHOICES and is_number(text)):
            continue
        if not is_number(text):
            found.append(
                f"{name} is {text!r}, which is not a number; azd would take its default"
                + mend(name, str(least))
            )
        elif int(text) < least or (most is not None and int(text) > most):
            limits = f"from {least} to {most}" if most is not None else f"{least} or more"
            nearest = least if int(text) < least else most
            found.append(f"{name} is {text}; it may be {limits}" + mend(name, str(nearest)))
    return found


def _choices(inputs: Inputs) -> list[str]:
    return [
        f"{name} is {inputs.text(name)!r}; there are {', '.join(words)}"
        + mend(name, _meant(inputs.text(name), words))
        for name, words in CHOICES.items()
        if inputs.text(name, words[0]) not in words
        # told as no number already
        and not (name in NUMBERS and not is_number(inputs.text(name)))
    ]


def _meant(text: str, words: tuple[str, ...]) -> str:
    same = [word for word in words if word.lower() == text.strip().lower()]
    return same[0] if same else words[0]


def _seconds(inputs: Inputs) -> list[str]:
    text = inputs.text("SMOKE_SECONDS")
    try:
        good = not text or 0 <= float(text) < float("inf")
    except ValueError:
        good = False
    return (
        []
        if good
        else [
            f"SMOKE_SECONDS is {text!r}, which is not a number of seconds"
            + mend("SMOKE_SECONDS", "600")
        ]
    )
