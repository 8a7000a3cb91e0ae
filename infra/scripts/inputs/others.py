"""The environment's name, the network, the services, alerts, the gateway."""

from __future__ import annotations

import ipaddress
import re

from infra.scripts.inputs import Inputs, mend
from infra.scripts.inputs.app_rules import RULES
from infra.scripts.tools import is_true

PROCESSING_UNITS = (1, 2, 4, 8, 16)
"""Of an Event Hubs Premium namespace."""

ENVIRONMENT_NAME_MOST = 32

NOT_IN_A_POLICY = '"\\{}\r\n'
"""A policy's C# has these values in string literals. Entra allows none of them in the value of an
app role."""

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def problems(inputs: Inputs) -> list[str]:
    return [
        *_environment(inputs),
        *_network(inputs),
        *_services(inputs),
        *_alerts(inputs),
        *_gateway(inputs),
        *_callers(inputs),
    ]


def told(inputs: Inputs) -> list[str]:
    """What is no mistake and has to be known."""
    found = []
    if inputs.text("ALERT_EMAIL"):
        found.append(
            f"Azure sends {inputs.text('ALERT_EMAIL')} a code if the address is new to the "
            "directory: it must be entered within 30 minutes of provisioning. Else nobody is told "
            "of alerts."
        )
    if (
        is_true(inputs.text("API_MANAGEMENT"))
        and inputs.text("GATEWAY_JWT_AUDIENCE")
        and not inputs.text("GATEWAY_JWT_ROLES")
    ):
        found.append(
            "GATEWAY_JWT_AUDIENCE without GATEWAY_JWT_ROLES: every application of the directory "
            "that gets a token for that audience may spend the PTUs. Ask for a role of the "
            'application\n    azd env set GATEWAY_JWT_ROLES ROLE\n  or set "Assignment required" '
            "on its enterprise application."
        )
    return found


def _environment(inputs: Inputs) -> list[str]:
    name = inputs.text("AZURE_ENV_NAME")
    found = []
    if len(name) > ENVIRONMENT_NAME_MOST:
        found.append(
            f"AZURE_ENV_NAME has {len(name)} characters; it may have {ENVIRONMENT_NAME_MOST}, "
            "since it is part of all names\n"
            f"    azd env new {name[:ENVIRONMENT_NAME_MOST].rstrip('-')}"
        )
    if len(inputs.text("AZURE_RESOURCE_GROUP_NAME")) > 90:
        found.append(
            "AZURE_RESOURCE_GROUP_NAME may have 90 characters"
            + mend("AZURE_RESOURCE_GROUP_NAME", inputs.text("AZURE_RESOURCE_GROUP_NAME")[:90])
        )
    return found


def _callers(inputs: Inputs) -> list[str]:
    """Who may use the gateway, and who may work on the data."""
    found = [
        f"{name} has a quote, a backslash, a brace or a line break" + mend(name, good)
        for name, good in (
            ("GATEWAY_JWT_AUDIENCE", "api://APPLICATION"),
            ("GATEWAY_JWT_ROLES", "ROLE"),
            ("GATEWAY_TENANT_CLAIM", "azp"),
        )
        if any(one in inputs.text(name) for one in NOT_IN_A_POLICY)
    ]
    if inputs.text("GATEWAY_JWT_ROLES") and not inputs.text("GATEWAY_JWT_AUDIENCE"):
        found.append(
            "GATEWAY_JWT_ROLES asks for roles of tokens that are not looked at: set the audience "
            "as well" + mend("GATEWAY_JWT_AUDIENCE", "api://APPLICATION")
        )
    people = inputs.text("DATA_ROLES")
    if people and people != "nobody" and not GUID.fullmatch(people):
        found.append(
            f"DATA_ROLES is {people!r}; it is empty, nobody, or the object id of a group"
            + mend("DATA_ROLES", "nobody")
        )
    return found


def _network(inputs: Inputs) -> list[str]:
    if is_true(inputs.text("VNET_ENABLED")):
        return _address_space(inputs)
    found = []
    if is_true(inputs.text("INBOUND_PRIVATE")):
        found.append(
            "INBOUND_PRIVATE closes the app to all but a network that there is not: set "
            "VNET_ENABLED as well" + mend("VNET_ENABLED", "true")
        )
    if is_true(inputs.text("OPENAI_PRIVATE_ENDPOINT")):
        found.append(
            "OPENAI_PRIVATE_ENDPOINT needs a network that there is not: set VNET_ENABLED as well"
            + mend("VNET_ENABLED", "true")
        )
    return found


def _address_space(inputs: Inputs) -> list[str]:
    text = inputs.text("VNET_ADDRESS_PREFIX", "10.42.0.0/24")
    try:
        good = ipaddress.IPv4Network(text).prefixlen <= 24
    except ValueError:
        good = False
    if good:
        return []
    return [
        f"VNET_ADDRESS_PREFIX is {text!r}; it must be an IPv4 network, a /24 or larger"
        + mend("VNET_ADDRESS_PREFIX", "10.42.0.0/24")
    ]


def _services(inputs: Inputs) -> list[str]:
    found = []
    premium = inputs.text("EVENT_HUBS_SKU") == "Premium"
    days = inputs.number("HUB_RETENTION_DAYS", 7)
    if not premium and days is not None and 7 < days <= 90:
        found.append(
            f"HUB_RETENTION_DAYS is {days}; the Standard tier keeps events for 7 at most"
            + mend("HUB_RETENTION_DAYS", "7")
            + "\n  or"
            + mend("EVENT_HUBS_SKU", "Premium")
        )
    units = inputs.number("EVENT_HUBS_CAPACITY", 1)
    if premium and units is not None and 0 < units <= 40 and units not in PROCESSING_UNITS:
        found.append(
            f"EVENT_HUBS_CAPACITY is {units}; Premium has 1, 2, 4, 8 or 16 processing units"
            + mend("EVENT_HUBS_CAPACITY", str(max(u for u in PROCESSING_UNITS if u <= units)))
        )
    throughput = inputs.number("COSMOS_MAXIMUM_THROUGHPUT", 1000)
    if throughput is not None and throughput > 1000 and throughput % 1000:
        found.append(
            f"COSMOS_MAXIMUM_THROUGHPUT is {throughput}; it comes in steps of 1,000"
            + mend("COSMOS_MAXIMUM_THROUGHPUT", str(throughput // 1000 * 1000))
        )
    return found


def _alerts(inputs: Inputs) -> list[str]:
    if inputs.text("ALERT_AUTHENTICATION") != "entra":
        return []
    needed = ("ALERT_AUDIENCE", "ALERT_WEBHOOK_OBJECT_ID", "ALERT_WEBHOOK_IDENTIFIER_URI")
    missing = [name for name in needed if not inputs.text(name)]
    audience = inputs.text("ALERT_AUDIENCE")
    if audience and RULES["ALERT_AUDIENCE"](audience):
        missing.append("ALERT_AUDIENCE")
    if not missing:
        return []
    return [
        f"ALERT_AUTHENTICATION=entra needs an application in the directory ({', '.join(missing)} "
        "not set):\n    python3 -m infra.scripts.secure_webhook\n  or"
        + mend("ALERT_AUTHENTICATION", "key")
    ]


def _gateway(inputs: Inputs) -> list[str]:
    if not is_true(inputs.text("API_MANAGEMENT")):
        return []
    found = []
    if not inputs.text("API_MANAGEMENT_PUBLISHER_EMAIL"):
        found.append(
            "API_MANAGEMENT needs an address that its notices go to"
            + mend("API_MANAGEMENT_PUBLISHER_EMAIL", "you@example.com")
        )
    # a gateway that exists may have been connected to the network by hand
    if is_true(inputs.text("VNET_ENABLED")) and not inputs.text("API_MANAGEMENT_NAME"):
        found.append(
            "API_MANAGEMENT with VNET_ENABLED: the gateway that is made here has no way into the "
            "network, so the account, the app and the hubs would refuse it. Take one of them"
            + mend("API_MANAGEMENT", "false")
            + "\n  or"
            + mend("VNET_ENABLED", "false")
        )
    return found
