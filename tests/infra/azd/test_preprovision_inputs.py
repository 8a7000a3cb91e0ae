"""What preprovision refuses before it asks anything of Azure, and how to mend it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.scripts.check_inputs import loaded, problems
from infra.scripts.inputs import deployments, further, is_number, others
from infra.scripts.inputs.words import BOOLEANS, CHOICES, NUMBERS
from infra.scripts.tools import HookError
from ptu_optimizer.capacity.work import known_models
from tests.infra.azd.further import FURTHER, NORTH_ID, NORTH_SUBSCRIPTION, SOUTH_ID
from tests.infra.azd.places import INFRA, template
from tests.infra.azd.preprovision import ACCOUNT, BUYS, OTHER_SUBSCRIPTION, USUAL, inputs, said
from tests.infra.azd.test_inputs import MODELS, PARAMETERS, variables

POSTDEPLOY: dict[str, Any] = {
    "ALERT_REFUSALS": "refusalThreshold",
    "ALERT_UTILIZATION": "utilizationThreshold",
}
"""Variables that infra/scripts/after_code.py hands to postdeploy.bicep as numbers."""

NETWORK: dict[str, Any] = {"VNET_ENABLED": "true"}
GATEWAY: dict[str, Any] = {
    "API_MANAGEMENT": "true",
    "API_MANAGEMENT_PUBLISHER_EMAIL": "me@example.com",
}


def test_the_usual_inputs_are_good() -> None:
    assert said() == ""


@pytest.mark.parametrize(
    ("changes", "says", "mends"),
    [
        # --- the account
        pytest.param(
            {"OPENAI_RESOURCE_ID": ""},
            "Which Azure OpenAI account",
            "OPENAI_RESOURCE_ID $(az cognitiveservices account show",
            id="no account",
        ),
        pytest.param(
            {"OPENAI_RESOURCE_ID": "acct"},
            "no resource id",
            "OPENAI_RESOURCE_ID $(az",
            id="a name, not an id",
        ),
        pytest.param(
            {"OPENAI_RESOURCE_ID": f"{ACCOUNT}\n"},
            "no resource id",
            "OPENAI_RESOURCE_ID $(az",
            id="an id with a line's end",
        ),
        pytest.param(
            {"NEXT_OPENAI_RESOURCE_ID": "foo"},
            "NEXT_OPENAI_RESOURCE_ID is 'foo', which is no resource id",
            "NEXT_OPENAI_RESOURCE_ID $(az",
            id="a next account that is a name",
        ),
        pytest.param(
            {"CREATE_OPENAI_ACCOUNT": "true", "OPENAI_RESOURCE_ID": ""},
            "nothing on it",
            "CREATE_OPENAI_ACCOUNT false",
            id="an account of no use",
        ),
        pytest.param(
            {**BUYS, "CREATE_OPENAI_ACCOUNT": "true"},
            "keep one of them",
            "CREATE_OPENAI_ACCOUNT false",
            id="an account that exists, and another that is made",
        ),
        pytest.param(
            {"AZURE_OPENAI_RESOURCE_ID": ACCOUNT.replace("/ai/", "/AI/")},
            "spells the account otherwise",
            f"OPENAI_RESOURCE_ID {ACCOUNT.replace('/ai/', '/AI/')}",
            id="another spelling than at the last provisioning",
        ),
        pytest.param(
            {"AZURE_RESOURCE_GROUP_NAME": "AI"},
            "`azd down` deletes all of it, the account too",
            "AZURE_RESOURCE_GROUP_NAME AI-queue",
            id="the account's own group",
        ),
        pytest.param(
            {
                "AZURE_RESOURCE_GROUP_NAME": "next",
                "NEXT_OPENAI_RESOURCE_ID": ACCOUNT.replace("/ai/", "/next/"),
            },
            "NEXT_OPENAI_RESOURCE_ID lies in the resource group next",
            "AZURE_RESOURCE_GROUP_NAME next-queue",
            id="the next account's group",
        ),
        # --- further accounts
        pytest.param(
            {"FURTHER_OPENAI_RESOURCES": NORTH_ID},
            "which is not label=resource id",
            'FURTHER_OPENAI_RESOURCES "LABEL=$(az cognitiveservices account show',
            id="a further account without a label",
        ),
        pytest.param(
            {"FURTHER_OPENAI_RESOURCES": "north=acct-north"},
            "which is not label=resource id",
            'FURTHER_OPENAI_RESOURCES "LABEL=$(az cognitiveservices account show',
            id="a further account by its name",
        ),
        pytest.param(
            {"FURTHER_OPENAI_RESOURCES": f"far_north={NORTH_ID}"},
            "a label has letters, digits and '-'",
            "FURTHER_OPENAI_RESOURCES",
            id="a label that Azure refuses in a name",
        ),
        pytest.param(
            {**FURTHER, "FURTHER_OPENAI_RESOURCES": f"north={NORTH_ID},North={SOUTH_ID}"},
            "has the label North twice",
            f"FURTHER_OPENAI_RESOURCES 'north={NORTH_ID}'",
            id="a label twice",
        ),
        pytest.param(
            {"FURTHER_OPENAI_RESOURCES": f"north={NORTH_ID},again={NORTH_ID.upper()}"}
            | {"PTU_DEPLOYMENTS": "a@north:gpt-4.1:50"},
            "has as again the account that is north already",
            f"FURTHER_OPENAI_RESOURCES 'north={NORTH_ID}'",
            id="a further account twice",
        ),
        pytest.param(
            {"FURTHER_OPENAI_RESOURCES": f"north={NORTH_ID},first={ACCOUNT}"},
            "has as first the account that is OPENAI_RESOURCE_ID already",
            f"FURTHER_OPENAI_RESOURCES 'north={NORTH_ID}'",
            id="the first account once more",
        ),
        pytest.param(
            {"FURTHER_OPENAI_RESOURCES": "north=" + ACCOUNT.replace("/ai/", "/rg-dev/")},
            "north of FURTHER_OPENAI_RESOURCES lies in the resource group rg-dev",
            "AZURE_RESOURCE_GROUP_NAME rg-dev-queue",
            id="a further account in the group that azd down deletes",
        ),
        pytest.param(
            {
                **FURTHER,
                "DEPLOYMENTS": json.dumps([{"resource_id": NORTH_ID.replace("north/", "North/")}]),
            },
            "spells the account north otherwise",
            "FURTHER_OPENAI_RESOURCES 'north="
            + NORTH_ID.replace("north/", "North/")
            + f",south={SOUTH_ID}'",
            id="a further account in another spelling than at the last provisioning",
        ),
        pytest.param(
            {"PTU_DEPLOYMENTS": "a@north:gpt-4.1:50"},
            "a@north is on the account north, which FURTHER_OPENAI_RESOURCES does not name",
            'FURTHER_OPENAI_RESOURCES "north=$(az cognitiveservices account show',
            id="a deployment on an account that is not named",
        ),
        pytest.param(
            {
                **FURTHER,
                "PTU_DEPLOYMENTS": "gpt-4.1:gpt-4.1:50,gpt-4.1@north:gpt-4.1:50:payg",
                "PTU_SPILLOVER_DEPLOYMENTS": "payg:gpt-4.1:1000,payg@north:gpt-4.1:1000",
            },
            "names gpt-4.1 twice",
            "PTU_DEPLOYMENTS "
            "'gpt-4.1:gpt-4.1:50,gpt-4.1-north=gpt-4.1@north:gpt-4.1:50:payg-north'"
            "\n    azd env set PTU_SPILLOVER_DEPLOYMENTS "
            "'payg:gpt-4.1:1000,payg-north=payg@north:gpt-4.1:1000'",
            id="one name on two accounts",
        ),
        pytest.param(
            {**FURTHER, "PTU_DEPLOYMENTS": "a b=gpt-4.1@north:gpt-4.1:50"},
            "where the name has letters, digits",
            "PTU_DEPLOYMENTS",
            id="a name that an alert rule cannot have",
        ),
        pytest.param(
            {**FURTHER, "PTU_DEPLOYMENTS": "a:gpt-4.1:50,A@north:gpt-4.1:50"},
            "a and A differ by capital letters only",
            "PTU_DEPLOYMENTS 'a:gpt-4.1:50,A-north=A@north:gpt-4.1:50'",
            id="names that Azure does not tell apart",
        ),
        # --- deployments
        pytest.param(
            {"PTU_DEPLOYMENTS": ""},
            "Which PTU deployments",
            "PTU_DEPLOYMENTS gpt-4.1-ptu:gpt-4.1:50",
            id="nothing to fill",
        ),
        pytest.param(
            {"PTU_DEPLOYMENTS": "ptu:gpt-4.1"},
            "not name:model:ptus",
            "PTU_DEPLOYMENTS",
            id="no size",
        ),
        pytest.param(
            {"PTU_SPILLOVER_DEPLOYMENTS": "b:gpt-4.1"},
            "not name:model:tpm",
            "PTU_SPILLOVER_DEPLOYMENTS",
            id="no pace",
        ),
        pytest.param(
            {"PTU_DEPLOYMENTS": "p:gpt-4.1:50:payg"},
            "lets p spill over to payg, which PTU_SPILLOVER_DEPLOYMENTS does not have",
            "PTU_SPILLOVER_DEPLOYMENTS payg:gpt-4.1:100000",
            id="spillover that nobody creates",
        ),
        pytest.param(
            {"PTU_DEPLOYMENTS": "p:gpt-9:50"},
            "unknown model gpt-9",
            "PTU_DEPLOYMENTS",
            id="a model that the app does not know",
        ),
        pytest.param(
            {"PTU_DEPLOYMENTS": "a:gpt-4.1:50,c:gpt-5.1-codex:50"},
            "takes the Responses API only",
            "PTU_DEPLOYMENTS a:gpt-4.1:50",
            id="a model that the queue cannot talk to",
        ),
        pytest.param(
            {**BUYS, "PTU_DEPLOYMENTS": "ptu:gpt-4.1:50,a:gpt-4.1:50"},
            "PTU_DEPLOYMENTS names ptu, which this environment creates",
            "PTU_DEPLOYMENTS a:gpt-4.1:50",
            id="created and named",
        ),
        pytest.param(
            {
                **BUYS,
                "CREATE_SPILLOVER_DEPLOYMENT": "true",
                "PTU_SPILLOVER_DEPLOYMENTS": "payg:gpt-4.1:1",
            },
            "PTU_SPILLOVER_DEPLOYMENTS names payg, which this environment creates",
            "PTU_SPILLOVER_DEPLOYMENTS ''",
            id="spillover created and named",
        ),
        pytest.param(
            {"CREATE_SPILLOVER_DEPLOYMENT": "true"},
            "for a PTU deployment that is created as well",
            "CREATE_SPILLOVER_DEPLOYMENT false",
            id="spillover created alone",
        ),
        # --- what is bought
        pytest.param(
            {**BUYS, "PTU_COUNT": ""},
            "about 10,950 USD a month",
            "PTU_COUNT 15",
            id="no count",
        ),
        pytest.param(
            {**BUYS, "PTU_COUNT": "17"},
            "from 15 PTUs on, in steps of 5",
            "PTU_COUNT 15",
            id="between steps",
        ),
        pytest.param(
            {**BUYS, "PTU_MODEL": "gpt-9", "PTU_MODEL_VERSION": "1"},
            "ptu-models.json lacks",
            "PTU_MODEL gpt-4.1",
            id="a model without a size",
        ),
        pytest.param(
            {**BUYS, "PTU_MODEL": "gpt-5-mini"},
            "PTU_MODEL is gpt-5-mini, without its version",
            "PTU_MODEL_VERSION VERSION",
            id="a model without its version",
        ),
        pytest.param(
            {**BUYS, "PTU_DEPLOYMENT_NAME": "a/b"},
            "PTU_DEPLOYMENT_NAME is 'a/b'",
            "PTU_DEPLOYMENT_NAME ptu",
            id="a name that Azure refuses",
        ),
        # --- booleans, numbers, words
        pytest.param(
            {"PTU_SKU": "Provisioned"}, "there are Global", "PTU_SKU GlobalProv", id="a SKU"
        ),
        pytest.param(
            {"COSMOS_MODE": "Autoscale"},
            "there are serverless, autoscale",
            "COSMOS_MODE autoscale",
            id="another case",
        ),
        pytest.param(
            {"HUB_PARTITIONS": "64"}, "from 1 to 32", "HUB_PARTITIONS 32", id="partitions"
        ),
        pytest.param(
            {"HUB_RETENTION_DAYS": "0"}, "from 1 to 90", "HUB_RETENTION_DAYS 1", id="no retention"
        ),
        pytest.param(
            {"ALERT_UTILIZATION": "40"}, "50 or more", "ALERT_UTILIZATION 50", id="always braking"
        ),
        pytest.param(
            {"ALERT_REFUSALS": "3.5"}, "not a number", "ALERT_REFUSALS 0", id="half a refusal"
        ),
        pytest.param(
            {"INSTANCE_MEMORY_MB": "1024"},
            "there are 512, 2048, 4096",
            "INSTANCE_MEMORY_MB 512",
            id="memory",
        ),
        pytest.param(
            {"SMOKE_SECONDS": "soon"}, "not a number of", "SMOKE_SECONDS 600", id="seconds"
        ),
        # --- services
        pytest.param(
            {"HUB_RETENTION_DAYS": "14"},
            "7 at most",
            "HUB_RETENTION_DAYS 7",
            id="too long for Standard",
        ),
        pytest.param(
            {"EVENT_HUBS_SKU": "Premium", "EVENT_HUBS_CAPACITY": "3"},
            "1, 2, 4, 8 or 16",
            "EVENT_HUBS_CAPACITY 2",
            id="processing units",
        ),
        pytest.param(
            {"COSMOS_MAXIMUM_THROUGHPUT": "1500"},
            "steps of 1,000",
            "COSMOS_MAXIMUM_THROUGHPUT 1000",
            id="throughput between steps",
        ),
        pytest.param(
            {"AZURE_ENV_NAME": "e" * 33},
            "it may have 32",
            f"azd env new {'e' * 32}",
            id="an environment's name that is too long",
        ),
        # --- network
        pytest.param(
            {"INBOUND_PRIVATE": "true"},
            "set VNET_ENABLED",
            "VNET_ENABLED true",
            id="private without network",
        ),
        pytest.param(
            {"OPENAI_PRIVATE_ENDPOINT": "true"},
            "set VNET_ENABLED",
            "VNET_ENABLED true",
            id="an endpoint without network",
        ),
        pytest.param(
            {**NETWORK, "VNET_ADDRESS_PREFIX": "10.0.0.0/25"},
            "a /24 or larger",
            "VNET_ADDRESS_PREFIX 10.42.0.0/24",
            id="a network that is too small",
        ),
        pytest.param(
            {**NETWORK, **GATEWAY},
            "no way into the network",
            "API_MANAGEMENT false",
            id="a gateway that cannot reach a closed network",
        ),
        # --- alerts and gateway
        pytest.param(
            {"ALERT_AUTHENTICATION": "entra", "ALERT_AUDIENCE": "api://a"},
            "ALERT_WEBHOOK_OBJECT_ID, ALERT_WEBHOOK_IDENTIFIER_URI not set",
            "python3 -m infra.scripts.secure_webhook",
            id="entra without application",
        ),
        pytest.param(
            {"API_MANAGEMENT": "true"},
            "an address that its notices go to",
            "API_MANAGEMENT_PUBLISHER_EMAIL",
            id="a gateway of nobody's",
        ),
        pytest.param(
            {"GATEWAY_JWT_AUDIENCE": "api://a", "GATEWAY_JWT_ROLES": 'a"+b'},
            "GATEWAY_JWT_ROLES has a quote",
            "GATEWAY_JWT_ROLES ROLE",
            id="a role that would be code",
        ),
        pytest.param(
            {"GATEWAY_TENANT_CLAIM": "{{azp}}"},
            "GATEWAY_TENANT_CLAIM has a quote",
            "GATEWAY_TENANT_CLAIM azp",
            id="a claim with braces",
        ),
        pytest.param(
            {"GATEWAY_JWT_ROLES": "Ptu.Call"},
            "tokens that are not looked at",
            "GATEWAY_JWT_AUDIENCE api://APPLICATION",
            id="roles of nobody's tokens",
        ),
        pytest.param(
            {"DATA_ROLES": "developers"},
            "DATA_ROLES is 'developers'",
            "DATA_ROLES nobody",
            id="a group by its name",
        ),
    ],
)
def test_a_bad_input_is_told_with_what_mends_it(
    changes: dict[str, Any], says: str, mends: str
) -> None:
    found = problems(inputs(**changes))
    (told,) = [one for one in found if says in one]
    assert mends in told
    assert re.search(r"azd env (set|new) |python3 -m", told)


@pytest.mark.parametrize("value", ["", "nobody", "00000000-0000-0000-0000-00000000000A"])
def test_data_roles_may_go_to_nobody_or_to_a_group_by_its_id(value: str) -> None:
    assert problems(inputs(DATA_ROLES=value)) == []


def test_two_further_accounts_with_deployments_of_one_name_are_good() -> None:
    assert said(**FURTHER) == ""


def test_a_further_account_that_is_no_longer_asked_for_is_told() -> None:
    """Its subscription may be one that `azd down` no longer looks into."""
    before: dict[str, Any] = {"DEPLOYMENTS": json.dumps([{"name": "x", "resource_id": NORTH_ID}])}
    (told,) = further.told(inputs(**before, APP_PRINCIPAL_ID="principal"))
    assert f"role assignment delete --assignee principal --scope {NORTH_ID} " in told
    reader = f"--scope /subscriptions/{NORTH_SUBSCRIPTION} "
    assert reader in told
    (another,) = further.told(
        inputs(**before, FURTHER_OPENAI_RESOURCES="n=" + NORTH_ID.replace("acct-north", "acct-2"))
    )
    assert reader not in another, "metrics are still read in this subscription"
    created = {**before, **BUYS, "CREATE_OPENAI_ACCOUNT": "true", "OPENAI_RESOURCE_ID": ""}
    (own,) = further.told(inputs(**created, AZURE_SUBSCRIPTION_ID=NORTH_SUBSCRIPTION))
    assert reader not in own, "nor where the account is that was created"
    assert "-g ai-north -n NAME" in told
    assert further.told(inputs(**before, **FURTHER)) == []
    assert further.told(inputs(DEPLOYMENTS="no output")) == []


def test_a_further_account_that_nothing_is_on_is_told() -> None:
    (told,) = deployments.unused_accounts(
        inputs(**{**FURTHER, "PTU_DEPLOYMENTS": "a:gpt-4.1:50,b@north:gpt-4.1:50"})
    )
    assert "has south, and neither" in told
    assert deployments.unused_accounts(inputs(**FURTHER)) == []


def test_all_bad_inputs_are_told_at_once() -> None:
    bad: dict[str, Any] = {"OPENAI_RESOURCE_ID": "x", "PTU_DEPLOYMENTS": "x", "VNET_ENABLED": "yes"}
    assert len(problems(inputs(**bad))) == 3


def test_a_gateway_that_exists_may_stay_when_the_network_comes() -> None:
    assert said(**NETWORK, **GATEWAY, API_MANAGEMENT_NAME="apim-x") == ""


def test_an_account_in_another_subscription_may_lie_in_a_group_of_the_same_name() -> None:
    there = ACCOUNT.replace("11111111", "22222222", 1).replace("/ai/", "/rg-dev/")
    assert OTHER_SUBSCRIPTION[:8] in there
    assert said(OPENAI_RESOURCE_ID=there) == ""
    assert "deletes all of it" in said(OPENAI_RESOURCE_ID=ACCOUNT.replace("/ai/", "/rg-dev/"))


def test_the_same_spelling_in_another_form_is_no_other_spelling() -> None:
    """Only subscription, group and name become part of names."""
    as_az_prints = ACCOUNT.replace("resourceGroups", "resourcegroups")
    assert said(OPENAI_RESOURCE_ID=as_az_prints, AZURE_OPENAI_RESOURCE_ID=ACCOUNT) == ""


# --- booleans and numbers, as azd reads them ------------------------------------------------------


@pytest.mark.parametrize("word", ["1", "t", "T", "TRUE", "true", "True"])
def test_each_word_that_azd_takes_for_true_asks_for_a_count(word: str) -> None:
    assert "needs a count" in said(CREATE_PTU_DEPLOYMENT=word, PTU_DEPLOYMENTS="")


@pytest.mark.parametrize("word", ["yes", "no", "on", " true ", "tRUE", "2", "y"])
def test_a_word_that_azd_would_take_for_the_default_is_refused(word: str) -> None:
    assert f"CREATE_PTU_DEPLOYMENT is {word!r}" in said(CREATE_PTU_DEPLOYMENT=word)


@pytest.mark.parametrize("word", ["0", "f", "F", "FALSE", "false", "False", ""])
def test_each_word_that_azd_takes_for_false_is_good(word: str) -> None:
    assert said(CREATE_PTU_DEPLOYMENT=word) == ""


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("50", True),
        ("+50", True),
        ("-50", True),
        ("007", True),
        ("9223372036854775807", True),
        ("9223372036854775808", False),
        ("٥٠", False),
        ("²", False),
        ("5_0", False),
        ("50.0", False),
        (" 50", False),
        ("0x10", False),
        ("", False),
        ("-", False),
    ],
)
def test_a_number_is_what_gos_parse_int_takes(text: str, good: bool) -> None:
    assert is_number(text) is good
    if text:
        assert ("not a number" in said(**{**BUYS, "PTU_COUNT": text})) is not good


def test_every_boolean_number_and_choice_of_the_templates_is_checked() -> None:
    by_variable = {variable: name for name, (variable, _) in variables().items()}
    kinds = {variable: PARAMETERS[name] for variable, name in by_variable.items()}
    booleans = {v for v, one in kinds.items() if isinstance(one.value, bool)}
    assert set(BOOLEANS) == booleans | {"SMOKE_TEST"}
    numbers = {v for v, one in kinds.items() if type(one.value) is int}
    assert set(NUMBERS) == numbers | set(POSTDEPLOY)
    choices = {v for v, one in kinds.items() if "allowed" in one.decorators}
    assert choices <= set(CHOICES)


def test_the_limits_are_those_of_the_templates() -> None:
    by_variable = {variable: PARAMETERS[name] for name, (variable, _) in variables().items()}
    of_postdeploy = template("postdeploy.bicep").of("parameter")
    by_variable |= {variable: of_postdeploy[name] for variable, name in POSTDEPLOY.items()}
    compared = 0
    for variable, (least, most) in NUMBERS.items():
        decorators = by_variable[variable].decorators
        for name, limit in (("minValue", least), ("maxValue", most)):
            if name in decorators:
                assert decorators[name] == limit, variable
                compared += 1
    for variable, words in CHOICES.items():
        allowed = by_variable[variable].decorators.get("allowed")
        assert allowed is None or [str(one) for one in allowed] == list(words), variable
        compared += allowed is not None
    assert compared > 8


# --- what is no mistake and has to be known -------------------------------------------------------


def test_a_new_address_has_to_be_verified_within_30_minutes() -> None:
    (told,) = others.told(inputs(ALERT_EMAIL="me@example.com"))
    assert "me@example.com" in told
    assert "within 30 minutes" in told
    assert others.told(inputs()) == []


def test_a_gateway_that_asks_for_no_role_is_warned_of() -> None:
    asked = {**GATEWAY, "GATEWAY_JWT_AUDIENCE": "api://g"}
    (told,) = others.told(inputs(**asked))
    assert "azd env set GATEWAY_JWT_ROLES" in told
    assert others.told(inputs(**asked, GATEWAY_JWT_ROLES="ptu.call")) == []
    assert others.told(inputs(**GATEWAY)) == []


# --- the object `settings`, and the tables --------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["FUNCTIONS_WORKER_RUNTIME", "functions_worker_runtime", "WEBSITE_CONTENTSHARE"],
)
def test_a_setting_that_flex_consumption_refuses_is_refused(name: str) -> None:
    assert f"{name}, which Flex Consumption refuses" in said({name: "x"})


def with_settings(folder: Path, value: str) -> Path:
    file = folder / "main.parameters.json"
    file.write_text(f'{{"parameters": {{"settings": {{"value": {value}}}}}}}', encoding="utf-8")
    return file


def test_the_object_is_read_from_the_file_as_azd_reads_it(tmp_path: Path) -> None:
    assert loaded(USUAL).settings == {}
    text = '{"UPPER_LIMIT": "${UPPER=0.7}", "MAX_ITEMS": "${ITEMS}", "N": 3}'
    read = loaded({**USUAL, "ITEMS": "9"}, file=with_settings(tmp_path, text))
    assert read.settings == {"UPPER_LIMIT": "0.7", "MAX_ITEMS": "9", "N": 3}
    in_a_variable = with_settings(tmp_path, '"${OURS}"')
    assert loaded({**USUAL, "OURS": '{"MAX_ITEMS": 9}'}, file=in_a_variable).settings == {
        "MAX_ITEMS": 9
    }
    assert loaded(USUAL, file=in_a_variable).settings == {}


@pytest.mark.parametrize(
    ("value", "says"),
    [("[]", "must be an object"), ("{", "cannot be read"), ('"x"', "cannot be read")],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, value: str, says: str) -> None:
    with pytest.raises(HookError, match=says):
        loaded(USUAL, file=with_settings(tmp_path, value))


def test_each_fact_about_a_model_has_its_source_and_date() -> None:
    facts = [
        fact
        for line in MODELS.values()
        for name in ("notNew", "responsesOnly", "kind")
        if (fact := line.get(name))
    ] + [fact for line in MODELS.values() for fact in line.get("versions", {}).values()]
    assert len(facts) > 10
    for fact in facts:
        assert fact["because"]
        assert fact["source"]
        assert re.fullmatch(r"2026-\d\d-\d\d", fact["asOf"])


def test_the_tables_of_this_repository_are_read() -> None:
    read = loaded(USUAL)
    assert read.known_models == known_models().keys()
    assert read.sizes == MODELS
    assert "FUNCTIONS_EXTENSION_VERSION" in read.refused_settings


def test_every_variable_that_is_checked_is_one_that_somebody_reads() -> None:
    texts = [
        path.read_text(encoding="utf-8")
        for folder in ("inputs", "state")
        for path in (INFRA / "scripts" / folder).glob("*.py")
        # names of the app's settings, not of azd's variables
        if path.name not in {"app_rules.py", "app_values.py", "app_settings.py"}
    ]
    checked = {name for text in texts for name in re.findall(r'"([A-Z]+_[A-Z_]+)"', text)}
    read = {variable for variable, _ in variables().values()}
    outputs = set(template("main.bicep").of("output"))
    of_hooks = {
        # after_code.py, smoke.py
        "ALERT_REFUSALS",
        "ALERT_UTILIZATION",
        "ALERT_WEBHOOK_IDENTIFIER_URI",
        "ALERT_WEBHOOK_OBJECT_ID",
        "GATEWAY_JWT_AUDIENCE",
        "GATEWAY_JWT_ROLES",
        "GATEWAY_TENANT_CLAIM",
        "SMOKE_SECONDS",
        "SMOKE_TEST",
        # azd's own
        "AZURE_SUBSCRIPTION_ID",
        # answers and notes of preprovision
        "AZURE_RESOURCE_GROUP_CONFIRMED",
        "PROVISIONED_LOCATION",
        "PROVISIONED_RESOURCE_GROUP",
        "PROVISIONED_SUBSCRIPTION_ID",
        "PTU_PURCHASE_CONFIRMED",
    }
    assert checked - read - outputs == of_hooks
