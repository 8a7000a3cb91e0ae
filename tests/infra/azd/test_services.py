"""What the code uses exists in the templates: hubs, containers, blobs. No service takes keys."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ptu_optimizer.adapters.blobs import CONTAINER
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.ports.hubs import HUBS, USAGE, DeliveredEvent, Delivery
from ptu_optimizer.requests.dispatch.dead_letter import dead_letter
from ptu_optimizer.settings.settings import Settings
from tests.infra.azd.places import TEMPLATES, template
from tests.support.bicep.evaluate import Evaluation
from tests.support.bicep.syntax import Expression
from tests.support.functions import consumer_groups, containers, hubs
from tests.support.schemas import ROOT


def default(name: str) -> Any:
    """The default of a parameter of main.bicep."""
    return template("main.bicep").of("parameter")[name].value


# --- Event Hubs ----------------------------------------------------------------------------------

HUBS_OF_BICEP = {
    hub["name"]: hub["retentionHours"]
    for hub in Evaluation(template("core/event-hubs.bicep"), parameters={"retentionDays": 7})[
        "hubs"
    ]
}


def test_every_hub_that_the_code_reads_or_writes_is_created_and_no_other() -> None:
    assert HUBS_OF_BICEP.keys() == {*HUBS, USAGE} == hubs()


def test_the_code_reads_by_the_consumer_group_that_every_hub_has_by_itself() -> None:
    assert consumer_groups() == {"$Default"}
    assert default("consumerGroups") == []


def test_events_are_kept_as_long_as_the_app_believes() -> None:
    seconds = Settings.model_fields["hub_retention_seconds"].default
    assert default("hubRetentionDays") * 86_400 == seconds
    assert all(HUBS_OF_BICEP[hub] * 3_600 == seconds for hub in HUBS)
    assert HUBS_OF_BICEP[USAGE] == 1, "usage events are worth nothing after minutes"


def test_there_are_four_partitions_by_default() -> None:
    assert default("hubPartitions") == 4
    hub = template("core/event-hubs.bicep").of("resource")["hub"].value
    assert hub["properties"]["partitionCount"].text == "partitions"


def test_a_backlog_starts_no_second_instance() -> None:
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    hubs_settings = host["extensions"]["eventHubs"]
    assert hubs_settings["targetUnprocessedEventThreshold"] >= 1_000_000


# --- Cosmos DB -----------------------------------------------------------------------------------

COSMOS = template("core/cosmos.bicep")
CONTAINERS: dict[str, Any] = {
    one["id"]: one for one in Evaluation(COSMOS, parameters={})["containers"]
}


def containers_opened_by_services() -> set[str]:
    text = (ROOT / "ptu_optimizer" / "services.py").read_text(encoding="utf-8")
    return set(re.findall(r'self\._container\("(\w+)"\)', text))


def test_every_container_that_the_code_uses_is_created_and_no_other() -> None:
    assert CONTAINERS.keys() == containers() | containers_opened_by_services()


def test_containers_are_created_as_they_are_defined_for_the_local_system() -> None:
    defined = json.loads((ROOT / "local" / "cosmos" / "containers.json").read_text("utf-8"))
    container = COSMOS.of("resource")["container"]
    assert list(CONTAINERS.values()) == defined
    assert container.value["properties"]["resource"].text == "one", "the definition, whole"
    assert all(one["defaultTtl"] == -1 for one in defined), "records bring a TTL of their own"


def partition_keys_of_the_code() -> dict[str, str]:
    """By container, the field that the code's records carry for it."""
    adapters = (ROOT / "ptu_optimizer" / "adapters" / "cosmos.py").read_text(encoding="utf-8")
    fields = dict(re.findall(r'class (\w+).*?partition_field="(\w+)"', adapters, flags=re.DOTALL))
    event = DeliveredEvent(raw=b"x", sequence_number=1, enqueued_at=0.0)
    dead = dead_letter(Delivery(hub="requests", partition="0", events=[event]), event, "", now=0)
    minute = Minute(deployment="d", ends_at=0.0).record(ttl_seconds=1)
    assert "bucket" in dead
    assert "deployment" in minute
    return {
        "requests": fields["CosmosLedgerStore"],
        "groups": fields["CosmosGroupStore"],
        "dead_letters": "bucket",
        "capacity": "deployment",
    }


def test_containers_are_partitioned_by_what_records_carry() -> None:
    keys = {name: one["partitionKey"]["paths"] for name, one in CONTAINERS.items()}
    assert keys == {name: [f"/{field}"] for name, field in partition_keys_of_the_code().items()}


def test_claims_by_create_get_one_write_region_and_strong_consistency() -> None:
    account = COSMOS.of("resource")["account"].value["properties"]
    assert len(account["locations"]) == 1
    assert account["enableMultipleWriteLocations"] is False
    assert default("cosmosConsistency") == "Strong"
    assert consistency_policy("Strong") == {"defaultConsistencyLevel": "Strong"}


def consistency_policy(level: str) -> dict[str, Any]:
    policy = COSMOS.of("resource")["account"].value["properties"]["consistencyPolicy"]
    found = Evaluation(COSMOS, parameters={"consistency": level}).value(policy.node)
    assert isinstance(found, dict)
    return found


def test_every_consistency_has_the_figures_that_it_needs() -> None:
    levels = COSMOS.of("parameter")["consistency"].decorators["allowed"]
    assert levels == ["Strong", "BoundedStaleness", "Session"]
    for level in ("Strong", "Session"):
        assert consistency_policy(level) == {"defaultConsistencyLevel": level}
    bounded = consistency_policy("BoundedStaleness")
    assert bounded["defaultConsistencyLevel"] == "BoundedStaleness"
    # Microsoft, "Consistency levels": the least with one region
    assert bounded["maxStalenessPrefix"] >= 10
    assert bounded["maxIntervalInSeconds"] >= 5


# --- Storage -------------------------------------------------------------------------------------


def test_files_outlive_the_requests_that_they_belong_to() -> None:
    storage = template("core/storage.bicep")
    assert Evaluation(storage)["filesContainer"] == CONTAINER
    rule = storage.of("resource")["lifecycle"].value["properties"]["policy"]["rules"][0]
    prefixes = [
        Evaluation(storage).value(one.node) for one in rule["definition"]["filters"]["prefixMatch"]
    ]
    assert prefixes == [f"{CONTAINER}/inputs/", f"{CONTAINER}/outcomes/"]
    for folder in ("inputs", "outcomes"):
        assert any(
            f'f"{folder}/' in path.read_text(encoding="utf-8")
            for path in (ROOT / "ptu_optimizer" / "requests").rglob("*.py")
        )
    kept = template("main.bicep").of("module")["storage"].value["params"]["fileDays"]
    days = Evaluation(template("main.bicep"), parameters={"hubRetentionDays": 7}).value(kept.node)
    assert days > 2 * 7, "the latest deadline is a retention away, records live a retention longer"


# --- no keys -------------------------------------------------------------------------------------

LOCAL_AUTHENTICATION_OFF = [
    ("core/event-hubs.bicep", "namespace", "disableLocalAuth", True),
    ("core/cosmos.bicep", "account", "disableLocalAuth", True),
    ("core/cosmos.bicep", "account", "disableKeyBasedMetadataWriteAccess", True),
    ("core/storage.bicep", "account", "allowSharedKeyAccess", False),
    ("core/storage.bicep", "account", "allowBlobPublicAccess", False),
    ("core/key-vault.bicep", "vault", "enableRbacAuthorization", True),
    ("app/openai-account.bicep", "account", "disableLocalAuth", True),
]


@pytest.mark.parametrize(("name", "resource", "setting", "off"), LOCAL_AUTHENTICATION_OFF)
def test_no_service_takes_keys(name: str, resource: str, setting: str, off: bool) -> None:
    assert template(name).of("resource")[resource].value["properties"][setting] is off


def test_application_insights_takes_no_key() -> None:
    component = template("core/monitoring.bicep").of("module")["component"]
    assert component.value["params"]["disableLocalAuth"] is True


def test_queries_ask_for_no_key_of_ones_own() -> None:
    """The module's default forces one, which there is not."""
    workspace = template("core/monitoring.bicep").of("module")["workspace"].value["params"]
    assert workspace["forceCmkForQuery"] is False


def keys_read() -> dict[str, set[str]]:
    """By template, what it reads the keys of."""
    found: dict[str, set[str]] = {}
    for path in TEMPLATES:
        text = path.read_text(encoding="utf-8")
        of = set(re.findall(r"\blist\w*\(([\w:]+)", text)) | set(
            re.findall(r"([\w:]+)\.list\w*\(", text)
        )
        if of:
            found[path.name] = of
    return found


def test_keys_are_read_of_single_functions_only() -> None:
    assert keys_read() == {
        "alert-receiver.bicep": {"alerted"},
        "api-management-api.bicep": {"app::producer", "app::request"},
    }


def test_keys_are_read_as_the_linter_wants_it() -> None:
    """`app::producer.listKeys()` knows its type and version, `listKeys(id, version)` does not."""
    for path in TEMPLATES:
        assert not re.search(r"(?<!\.)\blist\w*\(", path.read_text(encoding="utf-8")), path.name


def test_the_package_is_deployed_and_the_services_are_used_by_the_same_identity() -> None:
    site = template("app/function-app.bicep").of("module")["site"].value["params"]
    storage = site["functionAppConfig"]["deployment"]["storage"]
    assert storage["authentication"]["type"] == "UserAssignedIdentity"
    assert storage["authentication"]["userAssignedIdentityResourceId"].text == "identityId"
    assert site["keyVaultAccessIdentityResourceId"].text == "identityId"
    assert [one.text for one in site["managedIdentities"]["userAssignedResourceIds"]] == [
        "identityId"
    ]
    assert {one["name"]: one["allow"] for one in site["basicPublishingCredentialsPolicies"]} == {
        "ftp": False,
        "scm": False,
    }


# --- Flex Consumption ----------------------------------------------------------------------------


def test_it_runs_python_3_13_on_flex_consumption() -> None:
    modules = template("app/function-app.bicep").of("module")
    assert modules["plan"].value["params"]["skuName"] == "FC1"
    config = modules["site"].value["params"]["functionAppConfig"]
    assert config["runtime"] == {"name": "python", "version": "3.13"}
    scale = config["scaleAndConcurrency"]
    assert isinstance(scale["triggers"]["http"]["perInstanceConcurrency"], Expression)
    assert default("httpConcurrency") > 1, "Python's default of 1 would start an instance per call"


def test_azd_finds_the_app_by_its_tag() -> None:
    site = template("app/function-app.bicep").of("module")["site"].value["params"]
    assert "'azd-service-name': 'api'" in site["tags"].text


def test_without_a_network_everything_is_public_with_one_only_the_app_is() -> None:
    main = template("main.bicep")
    open_, closed = (
        Evaluation(main, parameters={"vnetEnabled": enabled})["openOrNot"]
        for enabled in (False, True)
    )
    assert (open_, closed) == ("Enabled", "Disabled")
    app = main.of("module")["functionApp"].value["params"]["inboundPrivate"]
    for private in (False, True):
        parameters = {"vnetEnabled": True, "inboundPrivate": private}
        assert Evaluation(main, parameters=parameters).value(app.node) is private
