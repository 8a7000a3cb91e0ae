"""deploy/kubernetes: valid by the schemas of Kubernetes and KEDA, and what the code needs.

There is no kustomize here: what it would do with the base and the example is done by hand where a
test needs it.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from ptu_consumer.__main__ import _options
from ptu_consumer.clients import CHECKPOINT_CONTAINER
from ptu_consumer.health import PATH
from ptu_consumer.running import Options
from ptu_consumer.work import DISPATCHED_HUBS
from ptu_optimizer.settings.settings import Settings
from tests.support.deployed_settings import SECRETS, loaded, read_by_nobody
from tests.support.functions import consumer_groups, hubs, of_type
from tests.support.schemas import ROOT, documents, problems, schema

FOLDER = ROOT / "deploy" / "kubernetes"
BASE = FOLDER / "base"
EXAMPLE = FOLDER / "overlays" / "example"
(KUSTOMIZATION,) = documents(BASE / "kustomization.yaml")
(OVERLAY,) = documents(EXAMPLE / "kustomization.yaml")
FILES = [BASE / name for name in KUSTOMIZATION["resources"]]
OBJECTS = [one for path in FILES for one in documents(path)]
NAMESPACE = "ptu-optimizer"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
LONGEST_RESPONSE_SECONDS = 230
"""Of an HTTP call; Azure's load balancer ends it then, and the app is built for no more."""

Object = dict[str, Any]


def named(one: Object) -> str:
    return f"{one['kind']}/{one['metadata']['name']}"


BY_NAME = {named(one): one for one in OBJECTS}
DEPLOYMENTS = {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] == "Deployment"}
SCALED = BY_NAME["ScaledObject/dispatch"]

# --- schemas --------------------------------------------------------------------------------------

EXTERNAL_SECRETS: dict[str, Any] = {
    # written after the External Secrets Operator's "API specification", external-secrets.io/v1
    "SecretStore": {
        "type": "object",
        "additionalProperties": False,
        "required": ["provider"],
        "properties": {
            "provider": {
                "type": "object",
                "additionalProperties": False,
                "required": ["azurekv"],
                "properties": {
                    "azurekv": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["authType", "vaultUrl", "serviceAccountRef"],
                        "properties": {
                            "authType": {"const": "WorkloadIdentity"},
                            "vaultUrl": {"type": "string", "pattern": r"^https://[^/]+$"},
                            "serviceAccountRef": {
                                "type": "object",
                                "additionalProperties": False,
                                "required": ["name"],
                                "properties": {"name": {"type": "string"}},
                            },
                        },
                    }
                },
            }
        },
    },
    "ExternalSecret": {
        "type": "object",
        "additionalProperties": False,
        "required": ["secretStoreRef", "target", "data"],
        "properties": {
            "refreshPolicy": {"enum": ["CreatedOnce", "Periodic", "OnChange"]},
            "refreshInterval": {"type": "string"},
            "secretStoreRef": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "kind"],
                "properties": {
                    "name": {"type": "string"},
                    "kind": {"enum": ["SecretStore", "ClusterSecretStore"]},
                },
            },
            "target": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"name": {"type": "string"}},
            },
            "data": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["secretKey", "remoteRef"],
                    "properties": {
                        "secretKey": {"type": "string"},
                        "remoteRef": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["key"],
                            "properties": {"key": {"type": "string"}},
                        },
                    },
                },
            },
        },
    },
}


def wrong_with(one: Object) -> list[str]:
    """By the schema of its kind; KeyError for a kind that nobody described here."""
    if one["apiVersion"] == "keda.sh/v1alpha1":
        return problems(one, schema("keda")[one["kind"]])
    if one["apiVersion"] == "external-secrets.io/v1":
        return problems(one["spec"], EXTERNAL_SECRETS[one["kind"]])
    content = schema("kubernetes")
    place = content["kinds"][f"{one['apiVersion']}/{one['kind']}"]
    return problems(one, {"$ref": place, "$defs": content["$defs"]})


@pytest.mark.parametrize("one", OBJECTS, ids=named)
def test_every_object_is_valid(one: Object) -> None:
    assert wrong_with(one) == []


def _of(name: str, *path: str | int, value: object) -> Callable[[], Object]:
    """A copy of an object with one fault planted."""

    def planted() -> Object:
        spoiled = copy.deepcopy(BY_NAME[name])
        place: Any = spoiled
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        return spoiled

    return planted


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(
            _of("Deployment/http", "spec", "replica", value=2), id="a field that is not there"
        ),
        pytest.param(
            _of("Deployment/http", "spec", "replicas", value="two"), id="a text for a number"
        ),
        pytest.param(
            _of(
                "Deployment/dispatch",
                *("spec", "template", "spec", "containers", 0, "livenessProbe", "tcpsocket"),
                value={},
            ),
            id="a field in the wrong case, deep inside",
        ),
        pytest.param(
            _of("ScaledObject/dispatch", "spec", "minReplicas", value=0), id="KEDA: a wrong name"
        ),
        pytest.param(
            _of(
                "ScaledObject/dispatch",
                *("spec", "triggers", 0, "metadata", "unprocessedEventThreshold"),
                value=64,
            ),
            id="KEDA: metadata are texts",
        ),
        pytest.param(
            _of(
                "TriggerAuthentication/workload-identity",
                *("spec", "podIdentity", "provider"),
                value="azure-workloads",
            ),
            id="KEDA: an identity that it does not know",
        ),
        pytest.param(
            _of("ExternalSecret/secrets", "spec", "refresh", value="1h"), id="External Secrets"
        ),
    ],
)
def test_a_planted_fault_is_found(planted: Callable[[], Object]) -> None:
    assert wrong_with(planted())


# --- the folder -----------------------------------------------------------------------------------


def test_every_file_is_listed_and_every_name_is_used_once() -> None:
    listed = {*FILES, BASE / "kustomization.yaml"}
    assert set(BASE.glob("*.yaml")) == listed
    assert len(BY_NAME) == len(OBJECTS)


def test_everything_lives_in_the_one_namespace() -> None:
    assert KUSTOMIZATION["namespace"] == NAMESPACE
    spaces = {one["metadata"].get("namespace") for one in OBJECTS if one["kind"] != "Namespace"}
    assert spaces == {NAMESPACE}


def test_no_object_of_another_kind_is_referred_to_that_is_not_there() -> None:
    generated = {one["name"] for one in KUSTOMIZATION["configMapGenerator"]}
    secrets = {BY_NAME["ExternalSecret/secrets"]["spec"]["target"]["name"]}
    for deployment in DEPLOYMENTS.values():
        pod = deployment["spec"]["template"]["spec"]
        assert f"ServiceAccount/{pod['serviceAccountName']}" in BY_NAME
        for source in container(deployment)["envFrom"]:
            if "configMapRef" in source:
                assert source["configMapRef"]["name"] in generated
            else:
                assert source["secretRef"]["name"] in secrets
    store = BY_NAME["SecretStore/key-vault"]["spec"]["provider"]["azurekv"]
    assert f"ServiceAccount/{store['serviceAccountRef']['name']}" in BY_NAME
    assert SCALED["spec"]["scaleTargetRef"]["name"] in DEPLOYMENTS
    for trigger in SCALED["spec"]["triggers"]:
        assert f"TriggerAuthentication/{trigger['authenticationRef']['name']}" in BY_NAME


def test_every_selector_selects_pods() -> None:
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in DEPLOYMENTS.values()]
    for one in OBJECTS:
        for selector in selectors(one):
            assert any(selector.items() <= pod.items() for pod in labels), named(one)


def selectors(one: Object) -> Iterator[dict[str, str]]:
    spec = one.get("spec", {})
    if one["kind"] == "Service":
        yield spec["selector"]
    elif one["kind"] in ("Deployment", "PodDisruptionBudget"):
        yield spec["selector"]["matchLabels"]
    elif one["kind"] == "NetworkPolicy":
        yield spec["podSelector"].get("matchLabels", {})


# --- the pods -------------------------------------------------------------------------------------


def container(deployment: Object) -> Object:
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(only)


IMAGES = {"http": ROOT / "Dockerfile", "dispatch": ROOT / "databricks" / "Dockerfile"}
"""By deployment, what its image is made of."""

FUNCTION = "AzureFunctionsJobHost__functions__"
DRAIN = "ASPNETCORE_SHUTDOWNTIMEOUTSECONDS"


def variables(deployment: Object) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(deployment).get("env", [])}


def chosen_functions() -> list[str]:
    """The functions that the host of `http` is told to run."""
    set_here = variables(DEPLOYMENTS["http"])
    chosen = {name: value for name, value in set_here.items() if name.startswith(FUNCTION)}
    assert chosen.keys() == {f"{FUNCTION}{n}" for n in range(len(chosen))}, "numbered from 0"
    return list(chosen.values())


def consumer() -> Options:
    """What the consumer of `dispatch` takes from its image and its arguments."""
    entry = re.search(r"^ENTRYPOINT (.+)$", IMAGES["dispatch"].read_text(), flags=re.MULTILINE)
    assert entry is not None
    python, m, module, *arguments = json.loads(entry[1])
    assert [python, m, module] == ["python", "-m", "ptu_consumer"]
    return _options([*arguments, *container(DEPLOYMENTS["dispatch"])["args"]])


def test_the_host_runs_what_has_callers_and_timers() -> None:
    others = of_type("httpTrigger").keys() | of_type("timerTrigger").keys()
    assert set(chosen_functions()) == others
    assert len(chosen_functions()) == len(others)


def test_the_consumer_reads_every_hub_that_functions_would_read() -> None:
    assert {*DISPATCHED_HUBS, *consumer().extras} == hubs()
    assert not variables(DEPLOYMENTS["dispatch"]), "no setting of a Functions host"


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_pods_are_started_again_for_a_closed_port_and_never_for_bad_settings(name: str) -> None:
    for probe in ("startupProbe", "livenessProbe"):
        asked = container(DEPLOYMENTS[name])[probe]
        assert asked["tcpSocket"] == {"port": "http"}
        assert "httpGet" not in asked


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_readiness_asks_a_route_that_needs_no_key_and_no_service(name: str) -> None:
    health = of_type("httpTrigger")["health"]
    assert health["authLevel"].lower() == "anonymous"
    assert f"/{health['route']}" == PATH
    asked = container(DEPLOYMENTS[name])["readinessProbe"]["httpGet"]
    assert asked == {"path": PATH, "port": "http"}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_port_is_that_of_the_image(name: str) -> None:
    (port,) = container(DEPLOYMENTS[name])["ports"]
    number = port["containerPort"]
    assert f"\nEXPOSE {number}\n" in IMAGES[name].read_text()
    if name == "dispatch":
        assert consumer().health_port == number
    else:
        assert f"ASPNETCORE_URLS=http://+:{number} " in IMAGES[name].read_text()


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_may_do_nothing_that_it_need_not(name: str) -> None:
    pod = DEPLOYMENTS[name]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"USER {pod['securityContext']['runAsUser']}:" in IMAGES[name].read_text()
    assert container(DEPLOYMENTS[name])["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_what_the_host_writes_lies_on_the_volume_that_it_may_write() -> None:
    (mount,) = container(DEPLOYMENTS["http"])["volumeMounts"]
    text = IMAGES["http"].read_text()
    for variable in ("HOME", "FUNCTIONS_SECRETS_PATH", "FUNCTIONS_LOG_PATH"):
        assert f"{variable}={mount['mountPath']}/" in text


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_has_the_apps_identity(name: str) -> None:
    template = DEPLOYMENTS[name]["spec"]["template"]
    assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    account = BY_NAME[f"ServiceAccount/{template['spec']['serviceAccountName']}"]
    assert "azure.workload.identity/client-id" in account["metadata"]["annotations"]


def default(setting: str) -> float:
    return float(Settings.model_fields[setting].default)


def grace(name: str) -> int:
    return int(DEPLOYMENTS[name]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"])


def test_the_consumer_waits_for_its_calls_as_long_as_one_may_take() -> None:
    longest = default("invocation_budget_seconds") + default("call_limit_seconds")
    assert consumer().grace_seconds >= longest


def test_the_consumers_pod_lives_until_the_consumer_has_written_and_left() -> None:
    last_writes = 2 * default("write_budget_seconds")
    assert grace("dispatch") >= consumer().grace_seconds + last_writes


def test_python_itself_gets_the_signal_of_the_pods_end() -> None:
    assert "command" not in container(DEPLOYMENTS["dispatch"])
    assert "\nENTRYPOINT [" in IMAGES["dispatch"].read_text(), "a shell would keep SIGTERM"


def test_http_calls_may_end_after_sigterm() -> None:
    """A response may take 230 s; without the variable the host cuts it off after 30 s."""
    assert int(variables(DEPLOYMENTS["http"])[DRAIN]) >= LONGEST_RESPONSE_SECONDS


def test_callers_are_sent_elsewhere_before_the_pod_stops_listening() -> None:
    assert container(DEPLOYMENTS["http"])["lifecycle"] == {"preStop": {"sleep": {"seconds": 10}}}


def test_the_http_pod_lives_until_its_last_call_has_ended() -> None:
    sleep = container(DEPLOYMENTS["http"])["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert grace("http") >= sleep + int(variables(DEPLOYMENTS["http"])[DRAIN]) + 10


def test_replicas_of_the_dispatcher_are_kedas() -> None:
    assert "replicas" not in DEPLOYMENTS["dispatch"]["spec"]


# --- scaling --------------------------------------------------------------------------------------


def test_the_dispatcher_starts_for_the_hubs_of_requests_and_not_for_usage_events() -> None:
    triggers = SCALED["spec"]["triggers"]
    watched = [trigger["metadata"]["eventHubName"] for trigger in triggers]
    assert sorted(watched) == sorted(DISPATCHED_HUBS)
    assert set(watched) < hubs()
    assert {trigger["type"] for trigger in triggers} == {"azure-eventhub"}


def test_keda_reads_the_checkpoints_where_and_as_the_host_writes_them() -> None:
    for trigger in SCALED["spec"]["triggers"]:
        metadata = trigger["metadata"]
        assert metadata["checkpointStrategy"] == "blobMetadata"
        assert metadata["blobContainer"] == CHECKPOINT_CONTAINER
        assert {metadata["consumerGroup"]} == consumer_groups()


def test_the_readme_asks_for_a_keda_that_starts_from_zero_while_it_is_blind() -> None:
    """From 2.17.0 to 2.18.3 the fallback starts nothing from zero."""
    asked = re.search(r"KEDA (\d+)\.(\d+) or newer", README)
    assert asked is not None
    assert SCALED["spec"]["fallback"]["replicas"] >= 1
    assert SCALED["spec"]["minReplicaCount"] >= 1 or (int(asked[1]), int(asked[2])) >= (2, 19)


def test_keda_looks_as_an_identity_that_the_example_names_and_the_readme_lets_it_use() -> None:
    place = "TriggerAuthentication/workload-identity"
    before, after = (
        objects[place]["spec"]["podIdentity"]["identityId"] for objects in (BY_NAME, patched())
    )
    assert before != after
    assert "--subject system:serviceaccount:kube-system:keda-operator" in README


# --- settings -------------------------------------------------------------------------------------


def environment_file() -> dict[str, str]:
    lines = (BASE / "settings.env").read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    return dict(pairs)


def overlaid() -> dict[str, str]:
    """The settings as the example's `behavior: merge` makes them."""
    (generator,) = OVERLAY["configMapGenerator"]
    assert generator["behavior"] == "merge"
    return environment_file() | dict(each.split("=", 1) for each in generator["literals"])


def test_no_file_holds_a_secret() -> None:
    assert environment_file().keys() & SECRETS == set()
    assert overlaid().keys() & SECRETS == set()
    assert not [one for one in OBJECTS if one["kind"] == "Secret"]
    for deployment in DEPLOYMENTS.values():
        assert not variables(deployment).keys() & SECRETS


def test_the_settings_of_the_example_load_once_key_vault_has_added_its_own() -> None:
    data = BY_NAME["ExternalSecret/secrets"]["spec"]["data"]
    secrets = {one["secretKey"]: "from Key Vault, long enough" for one in data}
    # the webhook of workload identity adds this one
    settings = loaded({**overlaid(), **secrets, "AZURE_CLIENT_ID": "of the service account"})
    assert settings.event_hubs_namespace == "evhns-example.servicebus.windows.net"
    assert settings.event_hubs is None


def test_no_setting_is_set_that_nothing_reads() -> None:
    assert read_by_nobody(overlaid(), host=True) == set()
    assert read_by_nobody({"AzureWebJobsDashboard": ""}, host=True) == {"AzureWebJobsDashboard"}


def test_the_example_replaces_every_name_that_the_base_leaves_open() -> None:
    left = [name for name, value in overlaid().items() if "NAME" in value or "REGION" in value]
    assert left == []


def test_the_pods_share_one_host_id() -> None:
    host_id = environment_file()["AzureFunctionsWebHost__hostid"]
    assert 0 < len(host_id) <= 32
    assert host_id == host_id.lower()


def test_the_readme_finds_the_keys_where_the_host_keeps_them() -> None:
    """In a blob of the host id's folder; the host makes it at the first call."""
    settings = environment_file()
    assert settings["AzureWebJobsSecretStorageType"] == "blob"
    keys = README.partition("## The keys of callers")[2].partition("\n## ")[0]
    host_id = settings["AzureFunctionsWebHost__hostid"]
    assert f"--container-name azure-webjobs-secrets --name {host_id}/host.json" in keys
    assert keys.index("curl ") < keys.index("az storage blob download")


@pytest.mark.parametrize("page", ["docs/security.md", "deploy/kubernetes/README.md"])
def test_who_takes_a_key_away_is_told_to_restart_the_pods(page: str) -> None:
    """Each of the two pods keeps the keys that it has read."""
    assert DEPLOYMENTS["http"]["spec"]["replicas"] > 1
    text = (ROOT / page).read_text(encoding="utf-8")
    restart = re.search(r"kubectl (?:-n \S+ )?rollout restart deployment/http", text)
    assert restart is not None
    assert "stays valid in" in text[: restart.start()]


# --- the example ----------------------------------------------------------------------------------


def patched() -> dict[str, Object]:
    """The base with the example's JSON patches; raises if one of them has no target."""
    objects = copy.deepcopy(BY_NAME)
    for patch in OVERLAY["patches"]:
        target = objects[f"{patch['target']['kind']}/{patch['target']['name']}"]
        for operation in yaml.safe_load(patch["patch"]):
            assert operation["op"] == "replace"
            *steps, last = [
                step.replace("~1", "/") for step in operation["path"].strip("/").split("/")
            ]
            place: Any = target
            for step in steps:
                place = place[int(step)] if isinstance(place, list) else place[step]
            assert last in place
            place[last] = operation["value"]
    return objects


def test_the_examples_patches_find_what_they_replace_and_leave_valid_objects() -> None:
    objects = patched()
    for one in objects.values():
        assert wrong_with(one) == []
    assert "NAME" not in yaml.safe_dump(list(objects.values()))


def test_the_examples_names_agree_with_one_another() -> None:
    settings = overlaid()
    for trigger in patched()["ScaledObject/dispatch"]["spec"]["triggers"]:
        metadata = trigger["metadata"]
        namespace = settings["EVENT_HUBS__fullyQualifiedNamespace"]
        assert namespace == f"{metadata['eventHubNamespace']}.servicebus.windows.net"
        account = settings["AzureWebJobsStorage__blobServiceUri"]
        assert account == f"https://{metadata['storageAccountName']}.blob.core.windows.net"


def test_the_images_that_the_example_names_are_those_of_the_base() -> None:
    used = {container(one)["image"].partition(":")[0] for one in DEPLOYMENTS.values()}
    assert {image["name"] for image in OVERLAY["images"]} == used
    assert len(used) == len(DEPLOYMENTS)


# --- the network ----------------------------------------------------------------------------------


def test_nothing_is_let_in_or_out_that_is_not_named() -> None:
    nothing = BY_NAME["NetworkPolicy/nothing"]["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_the_ways_out_are_name_resolution_https_and_amqp() -> None:
    ways = BY_NAME["NetworkPolicy/azure"]["spec"]["egress"]
    ports = {(one["protocol"], one["port"]) for way in ways for one in way["ports"]}
    assert ports == {("UDP", 53), ("TCP", 53), ("TCP", 443), ("TCP", 5671)}


def test_names_are_resolved_wherever_the_cluster_resolves_them() -> None:
    """With a cache on each node that is no pod of kube-system."""
    ways = BY_NAME["NetworkPolicy/azure"]["spec"]["egress"]
    (names,) = (way for way in ways if {"protocol": "UDP", "port": 53} in way["ports"])
    assert {"protocol": "TCP", "port": 53} in names["ports"]
    assert "to" not in names
