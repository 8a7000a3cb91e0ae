"""What a deployment costs a month by list price: the order of magnitude, not an offer."""

from __future__ import annotations

USD_PER_PTU_HOUR = {
    "GlobalProvisionedManaged": 1.0,
    "DataZoneProvisionedManaged": 1.1,
    "ProvisionedManaged": 2.0,
}
"""List prices of autumn 2025, without a reservation (docs/costs.md)."""

HOURS_PER_MONTH = 730


def is_provisioned(sku: str) -> bool:
    """Whether a deployment of this SKU is billed by the hour, whether it works or not. A SKU that
    is not in the table may be one, too: its price is not known, so it is not told as free."""
    return sku in USD_PER_PTU_HOUR or "provisioned" in sku.lower()


def usd_per_month(sku: str, capacity: int) -> float:
    """0 for pay-as-you-go. An unknown provisioned SKU counts as the dearest one."""
    if not is_provisioned(sku):
        return 0.0
    dearest = max(USD_PER_PTU_HOUR.values())
    return capacity * USD_PER_PTU_HOUR.get(sku, dearest) * HOURS_PER_MONTH


def told(sku: str, capacity: int) -> str:
    """In words, such as "about 36,500 USD a month"."""
    if not is_provisioned(sku):
        return "paid by the token"
    limit = "about" if sku in USD_PER_PTU_HOUR else "up to"
    return f"{limit} {usd_per_month(sku, capacity):,.0f} USD a month"
