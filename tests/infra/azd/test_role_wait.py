"""postprovision, second half: the app's role on its storage must count before the code comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.scripts.azure import Azure
from infra.scripts.role_wait import BLOB_OWNER, SPREAD_SECONDS, moment, seconds_to_wait, wait
from tests.infra.azd.deployed import OUTPUTS_OF_BICEP, SITE, STORAGE
from tests.infra.azd.fake_azure import NO_RIGHT, SUBSCRIPTION, FakeAzure, Machine, group_id
from tests.infra.azd.places import INFRA

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("ages", "wait"),
    [
        pytest.param([], 0, id="no assignment"),
        pytest.param([0], 600, id="just made"),
        pytest.param([240], 360, id="four minutes old"),
        pytest.param([599], 1, id="just below"),
        pytest.param([600], 0, id="old enough"),
        pytest.param([86_400], 0, id="a later provision"),
        pytest.param([86_400, 60], 540, id="the youngest counts"),
        pytest.param([-3600], 600, id="a clock that is behind: ten minutes at most"),
    ],
)
def test_it_waits_by_the_age_of_the_assignment(ages: list[float], wait: float) -> None:
    assert seconds_to_wait([ago(one) for one in ages], now=NOW) == wait


def test_it_never_waits_longer_than_ten_minutes() -> None:
    assert SPREAD_SECONDS == 600


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01T11:59:00.1234567Z", ago(60)),
        ("2026-12-01T11:59:00Z", ago(60)),
        ("2026-12-01T11:59:00+00:00", ago(60)),
        ("", None),
        ("None", None),
    ],
)
def test_azures_time_is_read(text: str, expected: datetime | None) -> None:
    assert moment(text) == expected


def assign(
    azure: FakeAzure,
    *,
    name: str = "a",
    principal: str = "app",
    role: str = BLOB_OWNER,
    scope: str = STORAGE,
    created: datetime = NOW,
) -> None:
    azure.put(
        f"{STORAGE}/providers/Microsoft.Authorization/roleAssignments/{name}",
        properties={
            "principalId": principal,
            "roleDefinitionId": f"/subscriptions/x/providers/Microsoft.Authorization"
            f"/roleDefinitions/{role}",
            "scope": scope,
            "createdOn": created.strftime("%Y-%m-%dT%H:%M:%S.1234567Z"),
        },
    )


@pytest.fixture
def azure() -> FakeAzure:
    azure = FakeAzure()
    azure.put(
        SITE,
        identity={"userAssignedIdentities": {"id-x": {"principalId": "app", "clientId": "c"}}},
    )
    azure.put(STORAGE)
    return azure


def slept(azure: FakeAzure) -> list[float]:
    found: list[float] = []
    wait(
        OUTPUTS_OF_BICEP,
        azure=Azure(SUBSCRIPTION, runner=azure.runner),
        now=lambda: NOW,
        sleep=found.append,
    )
    return found


def test_a_new_role_is_waited_for_and_told(
    azure: FakeAzure, capsys: pytest.CaptureFixture[str]
) -> None:
    assign(azure, created=ago(240))
    assert slept(azure) == [360]
    assert "waiting 360 s" in capsys.readouterr().out


def test_an_old_role_is_not_waited_for(
    azure: FakeAzure, capsys: pytest.CaptureFixture[str]
) -> None:
    assign(azure, created=ago(3600))
    assert slept(azure) == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"principal": "whoever deploys"}, id="somebody else's"),
        pytest.param({"role": "ba92f5b4-2d11-453d-a403-e96b0029c9fe"}, id="another role"),
        pytest.param({"scope": group_id("rg-dev")}, id="of the whole group"),
    ],
)
def test_other_assignments_do_not_count(azure: FakeAzure, other: dict[str, str]) -> None:
    assign(azure, created=ago(3600))
    assign(azure, name="b", created=NOW, **other)
    assert slept(azure) == []


def test_what_cannot_be_read_is_told_and_ends_no_provisioning(
    azure: FakeAzure, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.refuse("roleAssignments", NO_RIGHT)
    assert slept(azure) == []
    assert "run it again" in capsys.readouterr().err


def test_the_role_is_the_one_that_the_template_assigns() -> None:
    assert BLOB_OWNER in (INFRA / "roles.json").read_text(encoding="utf-8")


def test_postprovision_looks_at_the_role_as_azd_runs_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.azure.put(SITE, identity={"userAssignedIdentities": {"id-x": {"principalId": "app"}}})
    machine.azure.put(STORAGE)
    assign(machine.azure, created=ago(86_400 * 365))
    done = machine.hook("postprovision", OUTPUTS_OF_BICEP)
    assert done.returncode == 0, done.stderr
    assert any("roleAssignments" in one for one in machine.azure.calls)
