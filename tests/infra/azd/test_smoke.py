"""postdeploy, second half: one request through the deployed app."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.scripts.deployed_app import App, patience
from infra.scripts.smoke import FOR_ROOM, PYTHON, REQUEST, smoke, tell_python, verdict
from infra.scripts.tools import HookError
from ptu_optimizer.requests.ledger.outcome_errors import deadline_exceeded
from ptu_optimizer.requests.status.wait_reason import QUEUED_WHY
from tests.infra.azd.deployed import OUTPUTS_OF_BICEP, FakeApp, app_that_answers, give_keys
from tests.infra.azd.fake_azure import Machine
from tests.infra.azd.places import INFRA
from tests.infra.azd.test_inputs import ACCOUNT
from tests.support.functions import app_functions
from tests.support.schemas import ROOT

KEYS = {"producer": "P", "response": "R"}
REQUEST_ID = "abc-0"


def request(state: str, **fields: Any) -> dict[str, Any]:
    return {
        "request_id": REQUEST_ID,
        "state": state,
        "deployment": "gpt-4.1-ptu",
        "waiting": None,
        "error": None,
        **fields,
    }


@pytest.fixture
def fake() -> Iterator[FakeApp]:
    with app_that_answers() as app:
        app.answers["/producer"] = [(202, {"request_ids": [REQUEST_ID]})]
        app.answers[f"/response/{REQUEST_ID}"] = [(200, request("succeeded"))]
        yield app


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def of(address: str, *, patience: float = 600.0) -> App:
    clock = Clock()
    return App(address, patience=patience, clock=lambda: clock.now, sleep=clock.sleep)


# --- waking --------------------------------------------------------------------------------------


def test_an_app_that_does_not_wake_is_told_with_what_it_said_last() -> None:
    with pytest.raises(HookError, match=r"After 600 s GET /health still answers 0: .*refused"):
        of("http://127.0.0.1:9").wake()


def test_a_host_without_functions_is_told_apart(fake: FakeApp) -> None:
    """Built on another Python, an app has no function, and all its addresses are 404."""
    fake.answers["/health"] = [(404, "")]
    with pytest.raises(HookError, match="found no function in the package"):
        of(fake.address).wake()


@pytest.mark.parametrize(
    ("body", "version"),
    [
        ({"status": "ok", "python": "3.13.1"}, "3.13.1"),
        ({"status": "ok"}, ""),
        ({"status": "ok", "python": None}, ""),
        ("ok", ""),
    ],
)
def test_the_app_tells_its_python(fake: FakeApp, body: Any, version: str) -> None:
    fake.answers["/health"] = [(200, body)]
    assert of(fake.address).wake() == version


def test_a_503_that_names_no_setting_is_waited_out(fake: FakeApp) -> None:
    fake.answers["/health"] = [
        (503, {"error": {"code": "dependency_unavailable"}}),
        (503, {"error": "half"}),
        (200, {"status": "ok"}),
    ]
    of(fake.address).wake()
    assert len(fake.asked) == 3


@pytest.mark.parametrize(
    ("version", "out", "err"),
    [
        pytest.param(f"{PYTHON}.1", f"on Python {PYTHON}.1.", "", id="the one that was asked for"),
        pytest.param("3.11.9", "on Python 3.11.9.", "took another one", id="another one"),
        pytest.param("3.130.1", "on Python 3.130.1.", "took another one", id="not by a prefix"),
        pytest.param("", "The app is awake.", "", id="unknown"),
    ],
)
def test_the_python_version_is_told(
    capsys: pytest.CaptureFixture[str], version: str, out: str, err: str
) -> None:
    tell_python(version)
    told = capsys.readouterr()
    assert out in told.out
    assert err in told.err
    assert bool(err) == bool(told.err)


def test_the_python_that_is_asked_for_is_the_templates() -> None:
    text = (INFRA / "app" / "function-app.bicep").read_text(encoding="utf-8")
    assert re.search(rf"name: 'python'\s+version: '{re.escape(PYTHON)}'", text)


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_a_patience_that_is_no_number_is_told(text: str) -> None:
    with pytest.raises(HookError, match="SMOKE_SECONDS"):
        patience({"SMOKE_SECONDS": text})


# --- the request ---------------------------------------------------------------------------------


def test_the_request_has_no_limit_of_tokens(fake: FakeApp) -> None:
    """Reasoning models refuse max_tokens: the last step of azd up would be red for each of them."""
    smoke(of(fake.address), keys=KEYS)
    (sent,) = [body for method, _, _, body in fake.asked if method == "POST"]
    assert sent == REQUEST
    assert sent["body"].keys() == {"messages"}


def test_each_function_gets_its_own_key(fake: FakeApp) -> None:
    smoke(of(fake.address), keys=KEYS)
    assert set(KEYS) <= app_functions().keys()
    assert [headers["x-functions-key"] for _, _, headers, _ in fake.asked] == ["P", "R"]


def test_a_503_is_tried_again_with_the_same_idempotency_key(fake: FakeApp) -> None:
    """What the app needs may still start; an attempt whose answer was lost is not paid twice."""
    fake.answers["/producer"] = [(503, "busy"), (503, "busy"), (202, {"request_ids": [REQUEST_ID]})]
    smoke(of(fake.address), keys=KEYS)
    sent = [headers["idempotency-key"] for method, _, headers, _ in fake.asked if method == "POST"]
    assert len(sent) == 3
    assert len(set(sent)) == 1


def test_when_patience_is_over_it_is_told_what_is_not_ready(fake: FakeApp) -> None:
    fake.answers["/producer"] = [(503, "busy")]
    fake.answers["/health?ready=1"] = [(503, {"ready": {"cosmos": False}})]
    with pytest.raises(HookError) as caught:
        of(fake.address).enqueue(REQUEST, key="P")
    assert "After 600 s POST /producer still answers 503: busy" in str(caught.value)
    assert '"cosmos": false' in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 500])
def test_an_answer_that_is_no_503_is_told_at_once(fake: FakeApp, status: int) -> None:
    fake.answers["/producer"] = [(status, {"error": {"message": "because"}})]
    with pytest.raises(HookError, match=f"POST /producer answered {status}: .*because"):
        of(fake.address).enqueue(REQUEST, key="P")
    assert len(fake.asked) == 1


# --- what became of it ---------------------------------------------------------------------------


def test_a_request_that_works_is_told_with_its_deployment() -> None:
    assert verdict(request("succeeded"), patience=600).endswith("succeeded, on gpt-4.1-ptu.")


def test_the_text_of_a_400_is_shown() -> None:
    error = {"message": "Unsupported parameter: 'n'", "code": "unsupported_parameter"}
    with pytest.raises(HookError, match="Unsupported parameter: 'n'"):
        verdict(request("failed", error=error), patience=600)


def test_a_model_that_needs_another_api_version_is_told_with_the_command() -> None:
    error = {"message": "Model o9 is enabled only for api versions 2030-01-01 and later"}
    with pytest.raises(HookError, match="azd env set AZURE_OPENAI_API_VERSION"):
        verdict(request("failed", error=error), patience=600)


WAITS = [
    "waiting for its turn",
    "another process has the turn to send",
    "requests of requests-soon in another process go first",
    "0.9 s of work are in the deployment, by header",
    "paced at 40% of the deployment, by azure monitor",
    "utilization 83% is at or above the upper limit 80%",
    "4 calls at a time are under way",
    "nothing is known: one call at a time",
    "the alert ptu-high has fired",
    "the deployment answered 429",
]


@pytest.mark.parametrize("why", WAITS)
@pytest.mark.parametrize("state", ["queued", "deferred"])
def test_a_request_that_waits_for_room_is_told_with_its_reason_and_is_no_failure(
    state: str, why: str
) -> None:
    told = verdict(request(state, waiting={"why": why}), patience=600)
    assert "After 600 s the smoke test's request still waits for room" in told
    assert why in told


@pytest.mark.parametrize("why", WAITS)
def test_one_that_found_no_room_until_its_deadline_is_no_failure(why: str) -> None:
    error = deadline_exceeded(why=why, attempted=False)
    assert why in verdict(request("expired", error=error), patience=1200)


def test_one_behind_others_that_are_sent_waits_for_room_too() -> None:
    waiting = {"why": QUEUED_WHY, "projected_seconds": 900.0}
    assert "waits for room" in verdict(request("queued", waiting=waiting), patience=600)


@pytest.mark.parametrize(
    ("state", "waiting"),
    [
        pytest.param(
            "queued", {"why": QUEUED_WHY, "projected_seconds": None}, id="nobody takes it"
        ),
        pytest.param("deferred", {"why": "the deployment answered 503"}, id="503"),
        pytest.param(
            "deferred",
            {"why": "calls fail in a row: the deployment answered 401; check its key"},
            id="no right",
        ),
        pytest.param("deferred", {"why": "no connection (ConnectError)"}, id="no connection"),
        pytest.param("deferred", {"why": "deployment x is not in DEPLOYMENTS"}, id="unknown"),
        pytest.param("dispatching", None, id="a call that does not end"),
    ],
)
def test_one_that_waits_for_anything_else_is_a_failure(
    state: str, waiting: dict[str, Any] | None
) -> None:
    with pytest.raises(HookError, match=f"After 600 s the request is still {state}"):
        verdict(request(state, waiting=waiting), patience=600)


def test_one_that_expired_for_another_reason_is_a_failure() -> None:
    error = deadline_exceeded(why="the deployment answered 503", attempted=True)
    with pytest.raises(HookError, match="ended expired"):
        verdict(request("expired", error=error), patience=1200)


@pytest.mark.parametrize("phrase", FOR_ROOM)
def test_each_reason_is_one_that_the_app_gives(phrase: str) -> None:
    source = "\n".join(
        one.read_text(encoding="utf-8") for one in (ROOT / "ptu_optimizer").rglob("*.py")
    )
    assert phrase in source
    assert any(phrase in why for why in WAITS) or phrase.startswith("which process"), "and tested"


def test_while_it_waits_the_app_is_asked_until_patience_is_over(fake: FakeApp) -> None:
    waiting = request("queued", waiting={"why": "the deployment answered 429"})
    fake.answers[f"/response/{REQUEST_ID}"] = [(404, ""), (200, waiting)]
    assert of(fake.address, patience=60).outcome(REQUEST_ID, key="R") == waiting
    assert len(fake.asked) == 13


def test_an_outcome_that_cannot_be_read_is_told(fake: FakeApp) -> None:
    fake.answers[f"/response/{REQUEST_ID}"] = [(503, "no store")]
    with pytest.raises(HookError, match="still answers 503: no store"):
        of(fake.address).outcome(REQUEST_ID, key="R")


# --- the hook, as azd runs it --------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.azure.put(ACCOUNT, kind="OpenAI")
    give_keys(machine.azure, "capacity_alert", "producer", "response")
    return machine


def env(fake: FakeApp, **changes: str) -> dict[str, str]:
    return {
        **OUTPUTS_OF_BICEP,
        "FUNCTION_APP_ADDRESS": fake.address,
        "SMOKE_SECONDS": "0",
        "ALERT_EMAIL": "ops@example.com",
        **changes,
    }


def test_a_whole_smoke_test(machine: Machine, fake: FakeApp) -> None:
    fake.answers["/health"] = [(200, {"status": "ok", "python": f"{PYTHON}.1"})]
    done = machine.hook("postdeploy", env(fake))
    assert done.returncode == 0, done.stderr
    assert f"on Python {PYTHON}.1" in done.stdout
    assert f"Sent request {REQUEST_ID}" in done.stdout
    assert "succeeded, on gpt-4.1-ptu" in done.stdout
    sent = {path: headers.get("x-functions-key") for _, path, headers, _ in fake.asked}
    assert sent["/producer"] == "key of producer"
    assert "key of" not in done.stdout + done.stderr


def test_a_full_deployment_does_not_make_azd_up_red(machine: Machine, fake: FakeApp) -> None:
    waiting = request("deferred", waiting={"why": "the deployment answered 429"})
    fake.answers[f"/response/{REQUEST_ID}"] = [(200, waiting)]
    done = machine.hook("postdeploy", env(fake))
    assert done.returncode == 0, done.stderr
    assert "waits for room on the deployment: the deployment answered 429" in done.stdout


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="after a smoke test"),
        pytest.param({"SMOKE_TEST": "false"}, id="without one"),
        pytest.param({"INBOUND_PRIVATE": "true"}, id="in a network"),
    ],
)
def test_the_last_word_is_that_the_address_must_be_verified(
    machine: Machine, fake: FakeApp, changes: dict[str, str]
) -> None:
    done = machine.hook("postdeploy", env(fake, **changes))
    assert done.returncode == 0, done.stderr
    last = done.stdout.strip().splitlines()[-1]
    assert "Alerts go to ops@example.com" in last
    assert "within 30 minutes" in last


def test_it_is_said_after_a_failure_too_and_not_without_an_address(
    machine: Machine, fake: FakeApp
) -> None:
    fake.answers["/producer"] = [(400, "no")]
    done = machine.hook("postdeploy", env(fake))
    assert done.returncode == 1
    assert "ops@example.com" in done.stdout
    assert "Alerts go to" not in machine.hook("postdeploy", env(fake, ALERT_EMAIL="")).stdout


def test_in_a_network_the_app_is_not_called(machine: Machine, fake: FakeApp) -> None:
    done = machine.hook("postdeploy", env(fake, INBOUND_PRIVATE="true"))
    assert "No smoke test" in done.stdout
    assert fake.asked == []
