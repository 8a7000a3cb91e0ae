"""docker-compose.yml and what it mounts and builds: valid, and what the code needs of it."""

from __future__ import annotations

import ast
import copy
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.emulators.prepare import DEFINITIONS
from local.ptu.__main__ import _config, _parser
from local.system.options import HUBS
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_LATER, REQUESTS_SOON, USAGE
from tests.support.deployed_settings import loaded, read_by_nobody
from tests.support.functions import app_functions, consumer_groups, containers, hubs
from tests.support.images import copied, run_in
from tests.support.schemas import ROOT, documents, problems, schema

EMULATORS = ROOT / "local" / "emulators"
CONSUMER = ROOT / "databricks" / "Dockerfile"
(COMPOSE,) = documents(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ENVIRONMENT: dict[str, str] = SERVICES["app"]["environment"]
EXAMPLE: dict[str, str] = json.loads((EMULATORS / "local.settings.json.example").read_text())[
    "Values"
]
NAMESPACE: dict[str, Any] = json.loads((EMULATORS / "event-hubs.json").read_text())
EMULATED_HOUR = 3_600
"""How long its emulator keeps events ("Overview of the Azure Event Hubs emulator")."""

# --- compose --------------------------------------------------------------------------------------


def test_the_file_is_valid() -> None:
    assert problems(COMPOSE, schema("compose")) == []


def _rename(document: dict[str, Any]) -> None:
    document["services"]["app"]["imaeg"] = document["services"]["app"].pop("image")


def _publish(document: dict[str, Any]) -> None:
    document["services"]["app"]["ports"] = "7071:80"


def _wait_for(document: dict[str, Any]) -> None:
    document["services"]["app"]["depends_on"]["prepare"] = {"condition": "ready"}


@pytest.mark.parametrize("spoil", [_rename, _publish, _wait_for])
def test_a_planted_fault_is_found(spoil: Callable[[dict[str, Any]], None]) -> None:
    spoiled = copy.deepcopy(COMPOSE)
    spoil(spoiled)
    assert problems(spoiled, schema("compose"))


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    assert (
        "build" in SERVICES[name]
        or image == SERVICES["ptu"]["image"]
        or (re.search(r":[^:/]*\d[^:/]*$", image) and "latest" not in image)
    )


@pytest.mark.parametrize("name", SERVICES)
def test_everything_is_published_on_loopback_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_services_and_files_that_are_named_exist() -> None:
    for service in SERVICES.values():
        shared = service.get("network_mode", "").removeprefix("service:")
        assert {shared, *service.get("depends_on", {})} - {""} <= SERVICES.keys()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).is_file(), volume


def test_who_waits_for_health_waits_for_a_service_that_tells_of_it() -> None:
    with_image = {"ptu": EMULATORS / "Dockerfile"}
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                dockerfile = with_image.get(name)
                told = dockerfile is not None and "HEALTHCHECK" in dockerfile.read_text()
                assert told or "healthcheck" in SERVICES[name]


def test_only_the_app_and_what_it_alone_needs_wait_for_the_profile() -> None:
    assert {name for name, each in SERVICES.items() if "profiles" in each} == {
        "app",
        "cosmos-beside-app",
    }


def test_the_app_is_published_by_the_service_whose_network_it_shares() -> None:
    owner = SERVICES[SERVICES["app"]["network_mode"].removeprefix("service:")]
    port = re.search(r"ASPNETCORE_URLS=http://\+:(\d+)", (ROOT / "Dockerfile").read_text())
    assert port is not None
    assert any(published.endswith(f":{port[1]}") for published in owner["ports"])
    # 7071 on the host is for `func start`, which shall run beside the emulators
    assert not any(published.startswith("127.0.0.1:7071:") for published in owner["ports"])


def test_cosmos_db_speaks_https_and_names_itself_as_its_clients_reach_it() -> None:
    environment = SERVICES["cosmos"]["environment"]
    assert environment["PROTOCOL"] == "https"
    endpoint = f"AccountEndpoint=https://{environment['GATEWAY_PUBLIC_ENDPOINT']}:8081/"
    assert endpoint in ENVIRONMENT["COSMOS"]
    assert endpoint in EXAMPLE["COSMOS"]


KEYS = {
    "AzureFunctionsWebHost__hostid",
    "AzureWebJobsSecretStorageType",
    "FUNCTIONS_SECRETS_PATH",
}
"""Settings that say where the host of the container finds its function keys."""


def test_the_keys_of_the_app_are_those_of_a_file_and_the_same_in_every_container() -> None:
    assert ENVIRONMENT["AzureFunctionsWebHost__hostid"] == "ptu-optimizer"
    assert ENVIRONMENT["AzureWebJobsSecretStorageType"] == "files"
    (mounted,) = SERVICES["app"]["volumes"]
    source, target, mode = mounted.split(":")
    assert target == f"{ENVIRONMENT['FUNCTIONS_SECRETS_PATH']}/host.json"
    assert mode == "ro"
    keys = json.loads((ROOT / source).read_text())
    one, (two,) = keys["masterKey"], keys["functionKeys"]
    assert (one["name"], two["name"]) == ("master", "default")
    # the host encrypts nothing outside App Service, and rewrites a file that says that it did
    assert not one["encrypted"]
    assert not two["encrypted"]
    assert "no-secret" in one["value"], "nobody shall take it for one"
    assert two["value"] in (ROOT / "docker-compose.yml").read_text().partition("\nname:")[0]


def test_the_host_may_write_beside_its_mounted_keys() -> None:
    """It adds a file for each function."""
    assert f"chown -R 10001:10001 {ENVIRONMENT['FUNCTIONS_SECRETS_PATH']}" in (
        ROOT / "Dockerfile"
    ).read_text().replace("\\\n", "")


def test_nothing_outlives_the_events() -> None:
    """The hubs forget; what stayed would point behind their end."""
    assert "volumes" not in COMPOSE


def test_prepare_looks_for_checkpoints_that_are_older_than_the_hubs_whenever_these_start() -> None:
    prepare = SERVICES["prepare"]
    command = prepare["command"][2].replace("$$", "$")
    assert '--event-hubs "$EVENT_HUBS" --storage "$STORAGE"' in command
    assert prepare["depends_on"]["eventhubs"]["restart"] is True
    hubs_here, hubs_there = prepare["environment"]["EVENT_HUBS"], ENVIRONMENT["EVENT_HUBS"]
    assert hubs_here.replace("sb://eventhubs;", "sb://localhost;") == hubs_there
    assert ENVIRONMENT["AzureWebJobsStorage"].startswith(prepare["environment"]["STORAGE"])


def test_the_event_hubs_emulator_starts_once_its_storage_answers() -> None:
    assert SERVICES["eventhubs"]["depends_on"]["azurite"] == {"condition": "service_healthy"}


@pytest.mark.parametrize("name", [name for name, one in SERVICES.items() if "build" not in one])
def test_an_image_that_is_only_built_here_is_not_pulled_and_asks_for_no_foreign_port(
    name: str,
) -> None:
    service = SERVICES[name]
    if service["image"] == SERVICES["ptu"]["image"]:
        assert service["pull_policy"] == "never"
        assert "healthcheck" in service, "the image's own asks the port of `ptu`"


# --- Event Hubs -----------------------------------------------------------------------------------

NAMESPACE_SCHEMA: dict[str, Any] = {
    # written after "Overview of the Azure Event Hubs emulator" and the file's own schema there
    "type": "object",
    "additionalProperties": False,
    "required": ["UserConfig"],
    "properties": {
        "UserConfig": {
            "type": "object",
            "additionalProperties": False,
            "required": ["NamespaceConfig", "LoggingConfig"],
            "properties": {
                "NamespaceConfig": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 1,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["Type", "Name", "Entities"],
                        "properties": {
                            "Type": {"const": "EventHub"},
                            "Name": {"const": "emulatorNs1"},
                            "Entities": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 10,
                                "items": {"$ref": "#/$defs/hub"},
                            },
                        },
                    },
                },
                "LoggingConfig": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["Type"],
                    "properties": {"Type": {"enum": ["File", "Console", "File,Console"]}},
                },
            },
        }
    },
    "$defs": {
        "hub": {
            "type": "object",
            "additionalProperties": False,
            "required": ["Name", "PartitionCount"],
            "properties": {
                "Name": {"type": "string"},
                "PartitionCount": {"type": "string", "pattern": "^([1-9]|[12][0-9]|3[0-2])$"},
                "ConsumerGroups": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 20,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["Name"],
                        # $Default is made without being asked for, and may not be
                        "properties": {"Name": {"type": "string", "not": {"pattern": r"^\$"}}},
                    },
                },
            },
        }
    },
}


def entities(namespace: dict[str, Any] = NAMESPACE) -> dict[str, dict[str, Any]]:
    (only,) = namespace["UserConfig"]["NamespaceConfig"]
    return {entity["Name"]: entity for entity in only["Entities"]}


def test_the_emulators_file_is_valid() -> None:
    assert problems(NAMESPACE, NAMESPACE_SCHEMA) == []
    spoiled = copy.deepcopy(NAMESPACE)
    entities(spoiled)[REQUESTS]["PartitionCount"] = 4
    assert problems(spoiled, NAMESPACE_SCHEMA)


def test_the_hubs_are_those_that_the_code_reads_and_writes() -> None:
    assert entities().keys() == hubs() == {REQUESTS, REQUESTS_SOON, REQUESTS_LATER, USAGE}
    assert entities().keys() == HUBS.keys()
    assert consumer_groups() == {"$Default"}


def test_every_hub_has_four_partitions_and_the_group_of_the_contract_tests() -> None:
    for entity in entities().values():
        assert entity["PartitionCount"] == "4"
        assert [group["Name"] for group in entity["ConsumerGroups"]] == ["audit"]


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [ENVIRONMENT, EXAMPLE], ids=["compose", "func start"])
def test_the_settings_load_and_each_of_them_is_read(values: dict[str, str]) -> None:
    settings = loaded(values)
    assert read_by_nobody(values, host=True) == set()
    assert settings.hub_retention_seconds <= EMULATED_HOUR
    assert settings.default_deadline_seconds <= settings.hub_retention_seconds


def test_a_setting_that_nothing_reads_would_be_found() -> None:
    assert read_by_nobody({**EXAMPLE, "MAX_ITEM": "5"}, host=True) == {"MAX_ITEM"}


def test_the_app_in_a_container_and_on_the_host_differ_in_addresses_only() -> None:
    both = ENVIRONMENT.keys() - KEYS
    differ = {name for name in both if ENVIRONMENT[name] != EXAMPLE.get(name)}
    assert differ == {
        "AzureWebJobsStorage",
        "AZURE_OPENAI_ENDPOINT",
        "AZURE_MONITOR_ENDPOINT",
        "IDENTITY_ENDPOINT",
    }
    # only a host with keys needs these: `func start` asks for none
    assert ENVIRONMENT.keys() - EXAMPLE.keys() == KEYS
    # the image sets these, or does not need them
    assert EXAMPLE.keys() - ENVIRONMENT.keys() == {
        "FUNCTIONS_WORKER_RUNTIME",
        "PYTHON_ENABLE_INIT_INDEXING",
    }


def test_the_simulated_resource_has_what_the_settings_say() -> None:
    _python, _m, _module, *arguments = SERVICES["ptu"]["command"]
    options = _parser().parse_args(arguments)
    config = _config(options)
    (expected,) = loaded(EXAMPLE).deployments
    (deployment,) = config.deployments
    assert (deployment.name, deployment.model) == (expected.name, expected.model)
    assert deployment.ptus == expected.ptus
    assert config.identity_header == EXAMPLE["IDENTITY_HEADER"] == ENVIRONMENT["IDENTITY_HEADER"]
    assert EXAMPLE["AZURE_OPENAI_API_KEY"] in config.api_keys
    assert options.beyond_loopback
    assert f"127.0.0.1:{options.port}:{options.port}" in SERVICES["ptu"]["ports"]


def test_prepare_makes_the_database_and_every_container_of_the_code() -> None:
    assert f"--database {EXAMPLE['COSMOS_DATABASE']} " in SERVICES["prepare"]["command"][2]
    assert containers() <= {definition["id"] for definition in json.loads(DEFINITIONS.read_text())}


# --- images ---------------------------------------------------------------------------------------

PACKAGE_OF = {
    "aiohttp": "aiohttp",
    "azure.core": "azure-cosmos",  # which needs it
    "azure.cosmos": "azure-cosmos",
    "azure.eventhub": "azure-eventhub",
    "azure.storage": "azure-storage-blob",
    "bpe_openai": "bpe-openai",
    "orjson": "orjson",
}
"""By the first part of a module's name, or the first two of Azure's."""


def requirements(path: Path) -> dict[str, str]:
    """Package and the version that is asked for."""
    found = {}
    for line in path.read_text().splitlines():
        match = re.match(r"([A-Za-z0-9_-]+)(?:\[\w+\])?([~=<>!].*)?$", line.strip())
        if match:
            found[match[1]] = match[2] or ""
    return found


def test_the_local_image_installs_what_its_modules_import_in_the_apps_versions() -> None:
    asked = requirements(EMULATORS / "requirements.txt")
    app = requirements(ROOT / "requirements.txt")
    assert {name: app[name] for name in asked} == asked
    imported: set[str] = set()
    local = ROOT / "local"
    shared = [local / "serving.py", local / "http_serving.py"]
    for path in (*EMULATORS.rglob("*.py"), *(local / "ptu").rglob("*.py"), *shared):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module))
    ours = sys.stdlib_module_names | {"local", "ptu_optimizer"}
    foreign = [name.split(".") for name in imported if name.split(".")[0] not in ours]
    tops = {".".join(parts[: 2 if parts[0] == "azure" else 1]) for parts in foreign}
    assert {PACKAGE_OF[name] for name in tops} == asked.keys()


def test_what_the_apps_image_copies_is_enough_to_build_the_app(tmp_path: Path) -> None:
    copied(ROOT / "Dockerfile", to=tmp_path, root="/home/site/wwwroot")
    shutil.rmtree(tmp_path / "tmp", ignore_errors=True)
    assert (tmp_path / "host.json").is_file()
    script = "import function_app; print(len(function_app.app.get_functions()))"
    found = run_in(tmp_path, "-c", script, values=ENVIRONMENT)
    assert int(found) == len(app_functions())


def test_what_the_local_image_copies_is_enough_to_run_what_it_is_asked_to(tmp_path: Path) -> None:
    copied(EMULATORS / "Dockerfile", to=tmp_path, root="/app")
    for module in ("local.ptu", "local.emulators.prepare"):
        assert module in run_in(tmp_path, "-m", module, "--help", values={})
    script = (
        "import local.emulators.forward, local.emulators.prepare as p; p.DEFINITIONS.read_text()"
    )
    run_in(tmp_path, "-c", script, values={})


def test_what_the_consumers_image_copies_is_enough_to_run_it(tmp_path: Path) -> None:
    copied(CONSUMER, to=tmp_path, root="/src")
    assert (tmp_path / "databricks" / "pyproject.toml").is_file()
    # as the wheel lays them out, which is built from these two
    path = {"PYTHONPATH": f"{tmp_path / 'databricks'}:{tmp_path}"}
    script = "import ptu_consumer.running as r, ptu_optimizer as p; print(r.__file__, p.__file__)"
    assert run_in(tmp_path, "-c", script, values=path).count(str(tmp_path)) == 2
    assert "--health-port" in run_in(tmp_path, "-m", "ptu_consumer", "--help", values=path)


def test_nothing_private_reaches_an_image() -> None:
    ignored = (
        ROOT / ".dockerignore",
        EMULATORS / "Dockerfile.dockerignore",
        CONSUMER.with_name("Dockerfile.dockerignore"),
    )
    for ignore in ignored:
        lines = [line for line in ignore.read_text().splitlines() if line[:1] not in ("#", "")]
        assert lines[0] == "*", "what is let in is named, not what is kept out"
        assert not any("settings" in line or ".env" in line for line in lines)


def test_images_do_not_run_as_root_and_say_how_they_are() -> None:
    for dockerfile in (ROOT / "Dockerfile", EMULATORS / "Dockerfile", CONSUMER):
        text = dockerfile.read_text()
        user = re.search(r"^USER (\d+):(\d+)$", text, flags=re.MULTILINE)
        assert user is not None
        assert int(user[1]) > 10_000
        assert text.index("\nHEALTHCHECK") > text.index("\nUSER")


@pytest.mark.parametrize("dockerfile", [ROOT / "Dockerfile", CONSUMER], ids=["app", "consumer"])
def test_the_port_is_the_same_wherever_the_image_names_it(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    ports = re.findall(r"(?:\+:|EXPOSE |127\.0\.0\.1:|--health-port\", \")(\d+)", text)
    assert len(ports) == 3
    assert len(set(ports)) == 1
    assert "/health" in text
