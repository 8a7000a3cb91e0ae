"""What is created or changed on the account: whose it is, whether it can work, and its price."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.scripts.azure import group_id
from infra.scripts.state.answers import stamped
from tests.infra.azd.az_stub import MISSING, NO_RIGHTS, deployment
from tests.infra.azd.preprovision import ACCOUNT, BUYS, SUBSCRIPTION
from tests.infra.azd.test_preprovision_state import NOW, Preprovision

LIST = f"az rest --method get --url {ACCOUNT}/deployments "
OURS = {"azd-env-name": "dev", "azd-env-group": group_id(SUBSCRIPTION, "rg-dev")}
ANSWER = f"{ACCOUNT}/ptu:gpt-4.1:2025-04-14:GlobalProvisionedManaged:50"
SPILLS = {**BUYS, "CREATE_SPILLOVER_DEPLOYMENT": "true"}
HOUR = 3600.0


@pytest.fixture
def hook() -> Preprovision:
    found = Preprovision()
    found.az.answers[LIST] = {"value": []}
    return found


def there(hook: Preprovision, *deployments: dict[str, Any]) -> None:
    hook.az.answers[LIST] = {"value": list(deployments)}


def ptu(tags: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    return deployment(ACCOUNT, "ptu", tags=tags, **changes)


# --- a purchase ----------------------------------------------------------------------------------


def test_nothing_is_bought_before_somebody_has_typed_the_count(
    hook: Preprovision, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hook.refusal(BUYS, types=["yes"]) == "Nothing was created."
    said = capsys.readouterr().out
    assert "50 PTUs of gpt-4.1 2025-04-14 (GlobalProvisionedManaged)" in said
    assert "about 36,500 USD a month" in said
    assert hook.kept == {}
    hook.run(BUYS, types=["50"])
    assert hook.kept["PTU_PURCHASE_CONFIRMED"] == stamped(ANSWER, NOW)


def test_without_a_terminal_the_whole_answer_is_asked_for(hook: Preprovision) -> None:
    said = hook.refusal(BUYS)
    assert f"azd env set PTU_PURCHASE_CONFIRMED '{stamped(ANSWER, NOW)}'" in said
    assert "36,500 USD" in said
    assert "24 hours" in said
    assert hook.prompts == []
    hook.run({**BUYS, "PTU_PURCHASE_CONFIRMED": stamped(ANSWER, NOW)})


@pytest.mark.parametrize(
    ("changes", "usd"),
    [
        pytest.param({"PTU_COUNT": "55"}, "40,150", id="another count"),
        pytest.param({"PTU_SKU": "ProvisionedManaged"}, "73,000", id="another SKU"),
        pytest.param({"PTU_MODEL_VERSION": "2026-01-01"}, "36,500", id="another version"),
        pytest.param(
            {"PTU_MODEL": "gpt-5-mini", "PTU_MODEL_VERSION": "2025-08-07"},
            "36,500",
            id="another model",
        ),
        pytest.param({"PTU_DEPLOYMENT_NAME": "second"}, "36,500", id="another name"),
    ],
)
def test_an_answer_to_another_purchase_is_none(
    hook: Preprovision, changes: dict[str, str], usd: str
) -> None:
    answered = stamped(ANSWER, NOW)
    said = hook.refusal({**BUYS, **changes, "PTU_PURCHASE_CONFIRMED": answered})
    assert f"about {usd} USD a month" in said


def test_an_answer_for_another_account_is_none(hook: Preprovision) -> None:
    other = ANSWER.replace("/acct/", "/acct2/")
    assert "36,500" in hook.refusal({**BUYS, "PTU_PURCHASE_CONFIRMED": stamped(other, NOW)})


@pytest.mark.parametrize(
    ("age", "counts"),
    [
        pytest.param(0, True, id="just now"),
        pytest.param(23.9 * HOUR, True, id="within a day"),
        pytest.param(24.1 * HOUR, False, id="after a day"),
        pytest.param(-240, True, id="by a clock that is ahead"),
        pytest.param(-HOUR, False, id="of the future"),
    ],
)
def test_an_answer_counts_for_a_day(hook: Preprovision, age: float, counts: bool) -> None:
    """A hook cannot see `--preview`: one run does not use the answer up."""
    answered = {**BUYS, "PTU_PURCHASE_CONFIRMED": stamped(ANSWER, NOW - age)}
    if counts:
        hook.run(answered)
        hook.run(answered)
    else:
        assert "36,500" in hook.refusal(answered)


@pytest.mark.parametrize("answer", ["50", ANSWER, f"{ANSWER}@", f"{ANSWER}@today"])
def test_an_answer_without_its_time_is_none(hook: Preprovision, answer: str) -> None:
    assert "36,500" in hook.refusal({**BUYS, "PTU_PURCHASE_CONFIRMED": answer})


def test_an_account_that_is_made_as_well_is_part_of_the_answer(hook: Preprovision) -> None:
    own = f"{group_id(SUBSCRIPTION, 'rg-dev')}/new-account"
    hook.run({**BUYS, "CREATE_OPENAI_ACCOUNT": "true", "OPENAI_RESOURCE_ID": ""}, types=["50"])
    assert hook.kept["PTU_PURCHASE_CONFIRMED"] == stamped(ANSWER.replace(ACCOUNT, own), NOW)


def test_spillover_is_paid_by_the_token_and_not_asked_for(hook: Preprovision) -> None:
    hook.run(SPILLS, types=["50"])
    assert hook.kept["PTU_PURCHASE_CONFIRMED"] == stamped(ANSWER, NOW)


def test_purchase_and_vault_are_asked_for_at_once_without_a_terminal(hook: Preprovision) -> None:
    hook.az.answers["az keyvault list-deleted"] = [
        {
            "name": "kv-x",
            "properties": {
                "vaultId": f"{group_id(SUBSCRIPTION, 'rg-dev')}/providers/v",
                "location": "swedencentral",
            },
        }
    ]
    said = hook.refusal(BUYS)
    assert "PTU_PURCHASE_CONFIRMED" in said
    assert "az keyvault recover" in said


# --- a deployment that exists ---------------------------------------------------------------------


def test_ours_as_asked_for_needs_no_answer(hook: Preprovision) -> None:
    payg = deployment(ACCOUNT, "payg", sku="GlobalStandard", capacity=100, tags=OURS)
    there(hook, ptu(OURS), payg)
    hook.run(SPILLS)
    assert "PTU_PURCHASE_CONFIRMED" not in hook.kept


@pytest.mark.parametrize(
    ("now", "says"),
    [
        pytest.param({"capacity": 25}, "from 25 to 50", id="more"),
        pytest.param({"capacity": 100}, "from 100 to 50", id="less, set by hand"),
        pytest.param({"sku": "ProvisionedManaged"}, "73,000 USD a month, to gpt-4.1", id="SKU"),
        pytest.param({"version": "2024-01-01"}, "from gpt-4.1 2024-01-01", id="version"),
        pytest.param({"model": "gpt-4o"}, "from gpt-4o", id="model"),
    ],
)
def test_a_change_of_ours_is_a_purchase_from_what_is_to_what_is_asked(
    hook: Preprovision, now: dict[str, Any], says: str
) -> None:
    there(hook, ptu(OURS, **now))
    said = hook.refusal(BUYS)
    assert says in said
    assert "PTU_PURCHASE_CONFIRMED" in said
    hook.run(BUYS, types=["50"])


@pytest.mark.parametrize(
    ("tags", "whose"),
    [
        pytest.param(None, "which this environment has not made", id="no tags"),
        pytest.param({"team": "x"}, "which this environment has not made", id="other tags"),
        pytest.param(
            {**OURS, "azd-env-name": "prod"}, "belongs to the environment prod", id="another's"
        ),
        pytest.param(
            {**OURS, "azd-env-group": group_id(SUBSCRIPTION, "rg-x")},
            "belongs to the environment dev",
            id="one of the same name elsewhere",
        ),
    ],
)
def test_a_name_that_exists_without_our_tags_is_refused(
    hook: Preprovision, tags: dict[str, str] | None, whose: str
) -> None:
    there(hook, ptu(tags, capacity=300))
    said = hook.refusal({**BUYS, "PTU_PURCHASE_CONFIRMED": stamped(ANSWER, NOW)}, types=[])
    assert whose in said
    assert "azd env set PTU_DEPLOYMENT_NAME ptu-dev" in said
    assert "azd env set PTU_DEPLOYMENTS ptu:gpt-4.1:300" in said


def test_a_spillover_name_that_exists_without_our_tags_is_refused(hook: Preprovision) -> None:
    there(hook, ptu(OURS), deployment(ACCOUNT, "payg", sku="GlobalStandard", capacity=10))
    said = hook.refusal(SPILLS)
    assert "azd env set CREATE_SPILLOVER_DEPLOYMENT false" in said
    assert "azd env set PTU_SPILLOVER_DEPLOYMENTS payg:gpt-4.1:10000" in said


OLDER = {
    **BUYS,
    "AZURE_OPENAI_RESOURCE_ID": ACCOUNT,
    "DEPLOYMENTS": json.dumps([{"name": "ptu", "model": "gpt-4.1", "ptus": 50}]),
    "SPILLOVER_DEPLOYMENTS": "[]",
}
"""An environment whose last provisioning was that of a release without the tags."""


def test_one_that_an_older_release_made_is_adopted_after_a_question(
    hook: Preprovision, capsys: pytest.CaptureFixture[str]
) -> None:
    there(hook, ptu())
    assert hook.refusal(OLDER, types=["no"]) == "Nothing was created."
    hook.run(OLDER, types=["ptu"])
    assert "An older release of this environment" in capsys.readouterr().out
    assert hook.kept["PTU_PURCHASE_CONFIRMED"] == stamped(f"{ACCOUNT}/ptu:adopt", NOW)


def test_a_pipeline_adopts_by_the_variable(hook: Preprovision) -> None:
    there(hook, ptu())
    answer = stamped(f"{ACCOUNT}/ptu:adopt", NOW)
    assert answer in hook.refusal(OLDER)
    hook.run({**OLDER, "PTU_PURCHASE_CONFIRMED": answer})


def test_an_adopted_one_of_another_size_is_a_purchase_too(hook: Preprovision) -> None:
    there(hook, ptu(capacity=100))
    hook.run(OLDER, types=["ptu", "50"])
    assert hook.kept["PTU_PURCHASE_CONFIRMED"] == stamped(f"{ACCOUNT}/ptu:adopt,{ANSWER}", NOW)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"DEPLOYMENTS": "[]"}, id="outputs that do not name it"),
        pytest.param({"DEPLOYMENTS": "no JSON"}, id="outputs that say nothing"),
        pytest.param({"AZURE_OPENAI_RESOURCE_ID": ""}, id="no outputs"),
        pytest.param(
            {"AZURE_OPENAI_RESOURCE_ID": ACCOUNT.replace("acct", "acc")}, id="another account's"
        ),
    ],
)
def test_one_that_no_output_names_is_not_adopted(hook: Preprovision, other: dict[str, str]) -> None:
    there(hook, ptu())
    assert "which this environment has not made" in hook.refusal({**OLDER, **other}, types=[])


def test_what_may_not_be_read_is_bought_after_a_word_about_it(
    hook: Preprovision, capsys: pytest.CaptureFixture[str]
) -> None:
    hook.az.answers[LIST] = NO_RIGHTS
    hook.run(BUYS, types=["50"])
    assert "could not be read" in capsys.readouterr().out


# --- what nobody asks for any more ----------------------------------------------------------------


def test_a_deployment_of_ours_that_nobody_asks_for_is_named_with_its_price(
    hook: Preprovision,
) -> None:
    there(
        hook,
        ptu(OURS),
        deployment(ACCOUNT, "second", tags=OURS, sku="ProvisionedManaged"),
        deployment(ACCOUNT, "theirs"),
    )
    hook.run(BUYS)
    (told,) = hook.told
    assert "second" in told
    assert "about 73,000 USD a month" in told
    assert "az cognitiveservices account deployment delete" in told
    assert "--deployment-name second" in told


def test_it_is_looked_for_on_the_account_of_the_last_provisioning_too(hook: Preprovision) -> None:
    before = ACCOUNT.replace("/acct", "/before")
    hook.az.answers[f"az rest --method get --url {before}/deployments "] = {
        "value": [deployment(before, "ptu", tags=OURS)]
    }
    there(hook, ptu(OURS))
    hook.run({**BUYS, "AZURE_OPENAI_RESOURCE_ID": before})
    (told,) = hook.told
    assert "ptu on before" in told
    hook.az.answers[f"az rest --method get --url {before}/deployments "] = MISSING
    hook.told.clear()
    hook.run({**BUYS, "AZURE_OPENAI_RESOURCE_ID": before})
    assert hook.told == []


# --- models that cannot work ----------------------------------------------------------------------


def made(model: str, version: str = "1", count: str = "100") -> dict[str, str]:
    return {**BUYS, "PTU_MODEL": model, "PTU_MODEL_VERSION": version, "PTU_COUNT": count}


@pytest.mark.parametrize(
    ("changes", "says", "date"),
    [
        pytest.param(made("o3"), "it is retired", "2026-09-02", id="retired"),
        pytest.param(made("DeepSeek-R1"), "it is retired", "2026-09-02", id="retired, DeepSeek"),
        pytest.param(
            made("gpt-4o", "2024-05-13"), "this version is retired", "2026-09-02", id="version"
        ),
        pytest.param(made("gpt-5.2"), "to be registered", "2026-09-23", id="registration"),
        pytest.param(made("gpt-5.1-codex"), "Responses API only", "2026-09-02", id="codex"),
        pytest.param(
            made("Llama-3.3-70B-Instruct"),
            "an account of kind AIServices only, and this one is of kind OpenAI",
            "2026-09-23",
            id="another kind of account",
        ),
    ],
)
def test_a_model_that_cannot_work_is_refused_before_it_is_bought(
    hook: Preprovision, changes: dict[str, str], says: str, date: str
) -> None:
    said = hook.refusal(changes, types=[])
    assert says in said
    assert date in said
    assert "azd env set PTU_MODEL gpt-4.1" in said


@pytest.mark.parametrize("model", ["o3", "gpt-5.2"])
def test_one_that_exists_already_stays(hook: Preprovision, model: str) -> None:
    there(hook, ptu(OURS, model=model, version="1", capacity=100))
    hook.run(made(model))


def test_the_right_kind_of_account_takes_the_model(hook: Preprovision) -> None:
    hook.az.answers[f"az rest --method get --url {ACCOUNT} "] = {
        "kind": "AIServices",
        "properties": {"customSubDomainName": "acct"},
    }
    hook.run(made("Llama-3.3-70B-Instruct"), types=["100"])


def test_an_account_that_is_made_here_is_of_kind_openai(hook: Preprovision) -> None:
    said = hook.refusal(
        {
            **made("Llama-3.3-70B-Instruct"),
            "CREATE_OPENAI_ACCOUNT": "true",
            "OPENAI_RESOURCE_ID": "",
        },
        types=[],
    )
    assert "this one is of kind OpenAI" in said


def test_where_it_may_not_be_read_the_reason_is_told_and_not_refused(hook: Preprovision) -> None:
    hook.az.answers[LIST] = NO_RIGHTS
    hook.run(made("o3"), types=["100"])
    assert any("it is retired" in one for one in hook.told)
