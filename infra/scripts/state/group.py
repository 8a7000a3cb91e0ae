"""The environment's own resource group: a new one, or the one that it made before.

The template writes its tags over those of a group that exists, and `azd down` deletes all that is
in it.
"""

from __future__ import annotations

from typing import Any

from infra.scripts.azure import ENVIRONMENT_TAG
from infra.scripts.inputs import Inputs, mend
from infra.scripts.state.gather import Place, Situation, place

NOTES = ("PROVISIONED_SUBSCRIPTION_ID", "PROVISIONED_RESOURCE_GROUP", "PROVISIONED_LOCATION")
"""Kept in azd's environment before anything is created: outputs are there only once provisioning
has ended well."""


def notes(inputs: Inputs) -> dict[str, str]:
    """Those that differ from what is noted."""
    here = place(inputs)
    values = (here.subscription, here.group, here.location)
    now = dict(zip(NOTES, values))  # noqa: B905 - `strict` is not in Python 3.9
    return {name: value for name, value in now.items() if inputs.text(name) != value}


def problems(inputs: Inputs, found: Situation) -> list[str]:
    here = place(inputs)
    told = _moved(inputs, found, here)
    if found.group is None:
        return told
    environment = inputs.text("AZURE_ENV_NAME")
    owner = (found.group.get("tags") or {}).get(ENVIRONMENT_TAG)
    if owner != environment:
        whose = f"belongs to the environment {owner}" if owner else "is not one that azd made"
        told.append(
            f"The resource group {here.group} exists and {whose}: its tags would be written over, "
            "and `azd down` would delete all that is in it. Take a new group"
            + mend("AZURE_RESOURCE_GROUP_NAME", f"{here.group}-queue")
        )
    elif not _known(inputs, here):
        told.append(
            f"The resource group {here.group} has the tag of an environment named {environment}, "
            "but this environment has not made it: it has neither a note of it nor outputs. If it "
            f"is yours:\n    azd env refresh --environment {environment}\n  or, in a pipeline"
            + mend("AZURE_RESOURCE_GROUP_CONFIRMED", here.group)
            + "\n  Else take another name"
            + mend("AZURE_RESOURCE_GROUP_NAME", f"{here.group}-2")
        )
    elif not told:
        told += _elsewhere(found.group, here)
    return told


def _known(inputs: Inputs, here: Place) -> bool:
    same_group = here.noted_group.lower() == here.group.lower()
    same_subscription = here.noted_subscription.lower() == here.subscription.lower()
    confirmed = inputs.text("AZURE_RESOURCE_GROUP_CONFIRMED").lower() == here.group.lower()
    return (same_group and same_subscription) or confirmed


def _elsewhere(group: Any, here: Place) -> list[str]:
    location = _plain(str(group.get("location", "")))
    if not location or location == _plain(here.location):
        return []
    return [
        f"The resource group {here.group} is in {location}; a group cannot move, so AZURE_LOCATION "
        f"cannot become {here.location}. Another region is another environment (azd env new), or"
        + mend("AZURE_LOCATION", location)
    ]


def _moved(inputs: Inputs, found: Situation, here: Place) -> list[str]:
    """Names come from the subscription, the environment and the region: in another group they
    would collide with what is still there, and in another subscription it would be left behind."""
    if found.noted_group is None:
        return []
    owner = (found.noted_group.get("tags") or {}).get(ENVIRONMENT_TAG)
    if owner != inputs.text("AZURE_ENV_NAME"):
        return []
    back = mend("AZURE_RESOURCE_GROUP_NAME", here.noted_group)
    if here.noted_subscription.lower() != here.subscription.lower():
        back = mend("AZURE_SUBSCRIPTION_ID", here.noted_subscription) + back
    return [
        f"This environment is provisioned into the resource group {here.noted_group} (subscription "
        f"{here.noted_subscription}), which still exists and costs money. Take that down first "
        "with `azd down`, make another environment with `azd env new`, or go back" + back
    ]


def _plain(location: str) -> str:
    """Azure writes `Sweden Central` or `swedencentral`."""
    return location.replace(" ", "").lower()
