"""Lists of Azure's REST API come page by page."""

from __future__ import annotations

from infra.scripts.azure import Azure
from tests.infra.azd.fake_azure import SUBSCRIPTION, FakeAzure, group_id

RULES = f"{group_id('rg-dev')}/providers/Microsoft.Insights/metricAlerts"


def test_all_pages_are_read_and_no_argument_has_an_ampersand() -> None:
    """On Windows az is a batch file, in which & ends a command."""
    fake = FakeAzure()
    names = [fake.put(f"{RULES}/{one}")[-1] for one in "abc"]
    azure = Azure(SUBSCRIPTION, runner=fake.runner)
    found = azure.listed(RULES, api_version="2018-03-01", query={"$filter": "a eq 'b c'"})
    assert [one["name"] for one in found] == names
    assert len(fake.calls) == 3
    assert not any("&" in one or "?" in one for one in fake.calls)
    assert all("$filter=a eq 'b c'" in one for one in fake.calls)


def test_an_empty_list_is_one_page() -> None:
    fake = FakeAzure()
    assert Azure(SUBSCRIPTION, runner=fake.runner).listed(RULES, api_version="1") == []
    assert len(fake.calls) == 1
