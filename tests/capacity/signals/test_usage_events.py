"""Usage events of a gateway become windows of work; what makes no sense is dropped and counted."""

import json
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.signals.azure_deployment import AzureDeployment
from ptu_optimizer.capacity.signals.usage import UsageWindow, UsageWindows
from ptu_optimizer.capacity.signals.usage_events import (
    MAX_AGE_SECONDS,
    MAX_AHEAD_SECONDS,
    MAX_ID_CHARS,
    MAX_TOKENS,
    Tally,
    UsageEvents,
)
from ptu_optimizer.capacity.work import DEFAULT_MAX_TOKENS, Model

NOW = 1_800_000_000.0
RATIO = 4
MODEL = Model(input_tpm_per_ptu=3_000, output_ratio=RATIO)

Event = dict[str, Any]


def started(**changes: Any) -> Event:
    """A call of 1,000 prompt tokens that may answer with 100: it reserves 1,400."""
    fields = {"deployment": "ptu", "at": NOW, "prompt_tokens": 1_000, "max_tokens": 100}
    return {"kind": "started", **fields, **changes}


def finished(**changes: Any) -> Event:
    """The same call, which answered with 30 tokens: it has used 1,120."""
    return started(kind="finished", completion_tokens=30, status=200) | changes


def without(event: Event, *names: str) -> Event:
    return {name: value for name, value in event.items() if name not in names}


def gateway() -> UsageEvents:
    return UsageEvents({"ptu": MODEL, "Other-PTU": MODEL})


def aggregate(
    *bodies: Event | list[Any] | bytes, events: UsageEvents | None = None, now: float = NOW
) -> tuple[list[UsageWindows], Tally]:
    return (events or gateway()).aggregate(
        [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies],
        record_id="usage:3:17",
        source="usage:3",
        now=now,
    )


def window(*bodies: Event | list[Any] | bytes, events: UsageEvents | None = None) -> UsageWindow:
    """The one window that these events make, none of them dropped."""
    (usage,), tally = aggregate(*bodies, events=events)
    assert not tally.dropped
    (only,) = usage.windows
    return only


def dropped(*bodies: Event | list[Any] | bytes, now: float = NOW) -> dict[str, int]:
    """Why all of these events are dropped, in a message each."""
    usages, tally = aggregate(*bodies, now=now)
    assert (usages, tally.taken) == ([], 0)
    return dict(tally.dropped)


# --- what one event does --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "work"),
    [
        pytest.param(started(), {"reserved": 1_400, "calls": 1}, id="a start reserves"),
        pytest.param(
            started(cached_tokens=800),
            {"reserved": 600, "calls": 1},
            id="what it knows to be cached costs nothing",
        ),
        pytest.param(
            started(max_tokens=None),
            {"reserved": 1_000 + RATIO * DEFAULT_MAX_TOKENS, "calls": 1},
            id="no maximum named: the default",
        ),
        pytest.param(
            without(started(), "max_tokens"),
            {"reserved": 1_000 + RATIO * DEFAULT_MAX_TOKENS, "calls": 1},
            id="no maximum at all: the same",
        ),
        pytest.param(
            started(max_tokens=0),
            {"reserved": 1_000, "calls": 1},
            id="a maximum of 0 is no default",
        ),
        pytest.param(started(status=200), {"reserved": 1_400, "calls": 1}, id="answered already"),
        pytest.param(started(status=429), {"refused": 1}, id="refused at its start"),
        pytest.param(
            finished(), {"used": 1_120, "corrected": -280}, id="an end corrects to what was used"
        ),
        pytest.param(
            finished(completion_tokens=150),
            {"used": 1_600, "corrected": 200},
            id="more than was reserved",
        ),
        pytest.param(
            finished(cached_tokens=800),
            {"used": 320, "corrected": -280},
            id="cached in its start too, as far as is known",
        ),
        pytest.param(
            finished(cached_tokens=1_200),
            {"used": 120, "corrected": -280},
            id="more cached than there was: the prompt is free",
        ),
        pytest.param(
            without(finished(), "max_tokens"),
            {"used": 1_120, "corrected": RATIO * (30 - DEFAULT_MAX_TOKENS)},
            id="an end that does not say what was reserved: the default was",
        ),
        pytest.param(
            without(finished(), "status"),
            {"used": 1_120, "corrected": -280},
            id="an end without a status is a success",
        ),
        pytest.param(
            finished(status=399), {"used": 1_120, "corrected": -280}, id="just no failure"
        ),
        pytest.param(finished(status=400), {"corrected": -1_400}, id="a failure gives all back"),
        pytest.param(finished(status=428), {"corrected": -1_400}, id="just below 429"),
        pytest.param(finished(status=430), {"corrected": -1_400}, id="just above 429"),
        pytest.param(
            without(finished(status=400), "completion_tokens"),
            {"corrected": -1_400},
            id="a failure has no completion",
        ),
        pytest.param(
            finished(status=429),
            {"refused": 1, "corrected": -1_400},
            id="refused, and says what its start had reserved",
        ),
        pytest.param(
            without(finished(status=429), "max_tokens"),
            {"refused": 1},
            id="refused, and nothing is known to have been reserved",
        ),
        pytest.param(
            without(finished(status=429), "prompt_tokens", "completion_tokens"),
            {"refused": 1},
            id="refused, and little is known at all",
        ),
    ],
)
def test_an_event_changes_its_window(event: Event, work: dict[str, float]) -> None:
    assert window(event) == UsageWindow(start=NOW, **work)  # type: ignore[arg-type]


def test_a_call_has_put_in_what_it_has_used_once_it_has_ended() -> None:
    both = window(started(), finished())
    assert both.net == both.used == 1_120
    assert both.calls == 1


@pytest.mark.parametrize("status", [400, 429, 500])
def test_a_call_that_did_not_run_has_put_in_nothing(status: int) -> None:
    both = window(started(), finished(status=status))
    assert (both.net, both.used) == (0, 0)
    assert both.refused == (status == 429)


# --- what is remembered of a call -----------------------------------------------------------------


def test_an_end_takes_back_just_what_its_start_put_in() -> None:
    """The gateway estimated the prompt, named no maximum, and did not know of the cache."""
    call = {"id": "call-1"}
    both = window(
        started(**call, prompt_tokens=1_300, max_tokens=None),
        finished(**call, cached_tokens=512, max_tokens=100),
    )
    assert both.net == both.used == 1_000 - 512 + RATIO * 30


def test_a_call_is_remembered_from_one_batch_to_the_next() -> None:
    events = gateway()
    aggregate(started(id=7, max_tokens=500), events=events)
    end = window(without(finished(id=7), "max_tokens"), events=events)
    assert end.corrected == RATIO * (30 - 500)


def test_a_call_ends_once() -> None:
    events = gateway()
    aggregate(started(id="a", max_tokens=500), finished(id="a"), events=events)
    assert window(finished(id="a"), events=events).corrected == -280, "by what it says itself"


def test_the_same_id_on_another_deployment_is_another_call() -> None:
    events = gateway()
    aggregate(started(id="a", max_tokens=500), events=events)
    (other,), _ = aggregate(finished(id="a", deployment="other-ptu"), events=events)
    assert other.windows[0].corrected == -280


def test_a_refusal_takes_back_what_its_remembered_start_reserved() -> None:
    end = without(finished(id="a", status=429), "max_tokens", "prompt_tokens")
    assert window(started(id="a"), end).net == 0


def test_a_refusal_that_is_said_twice_counts_once_and_takes_nothing_back() -> None:
    both = window(started(id="a", status=429), finished(id="a", status=429))
    assert both == UsageWindow(start=NOW, refused=1)


def test_a_failure_needs_to_say_nothing_when_its_start_is_remembered() -> None:
    end = {"kind": "finished", "deployment": "ptu", "at": NOW, "id": "a", "status": 500}
    assert window(started(id="a"), end).net == 0


def test_an_end_counts_the_cache_as_its_gateway_s_starts_do() -> None:
    """Else every call of a gateway without ids would leave its cached tokens in the bucket."""
    events = gateway()
    both = window(started(), finished(cached_tokens=800), events=events)
    assert both.net == both.used == 320
    knowing = window(started(cached_tokens=800), finished(cached_tokens=800), events=events)
    assert knowing.net == knowing.used == 320


# --- which deployment, which window ---------------------------------------------------------------


def test_events_lie_in_the_windows_of_their_own_times_whatever_their_order() -> None:
    (usage,), _ = aggregate(
        started(at=NOW + 0.5), finished(at=NOW + 0.49), started(at=NOW - 0.01), started(at=NOW)
    )
    assert [(w.start, w.calls, w.used > 0) for w in usage.windows] == [
        (NOW - 0.5, 1, False),
        (NOW, 1, True),
        (NOW + 0.5, 1, False),
    ]


def test_each_deployment_has_a_record_of_its_own_under_its_configured_name() -> None:
    usages, tally = aggregate(
        started(deployment="PTU"), started(deployment="other-ptu"), started(deployment="Ptu")
    )
    assert {u.deployment: u.windows[0].calls for u in usages} == {"ptu": 2, "Other-PTU": 1}
    assert {(u.record_id, u.source, u.ours) for u in usages} == {("usage:3:17", "usage:3", False)}
    assert tally.taken == 3


def test_the_same_batch_makes_the_same_records() -> None:
    batch = (started(), started(deployment="other-ptu", at=NOW - 7), finished(), b"junk")
    assert aggregate(*batch) == aggregate(*batch)


def test_a_record_survives_its_way_through_the_store() -> None:
    (usage,), _ = aggregate(started(), finished(at=NOW - 3), started(status=429))
    assert UsageWindows.from_record(usage.record(ttl_seconds=120)) == usage


def test_no_events_make_no_record() -> None:
    assert aggregate() == ([], Tally())


# --- how an event may look ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at",
    [
        pytest.param(1_800_000_000, id="epoch seconds"),
        pytest.param(1_800_000_000.25, id="with a fraction"),
        pytest.param("1800000000.25", id="as text"),
        pytest.param("2027-01-15T08:00:00Z", id="ISO 8601"),
        pytest.param("2027-01-15T08:00:00.1234567Z", id="seven digits, as .NET writes them"),
        pytest.param("2027-01-15T10:00:00+02:00", id="another zone"),
        pytest.param("2027-01-15T08:00:00", id="without a zone it is UTC"),
        pytest.param("2027-01-15 08:00:00.4+00:00", id="with a space"),
    ],
)
def test_a_time_may_be_a_number_or_iso_8601(at: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert window(started(at=at)).start == NOW
    finally:
        monkeypatch.undo()
        time.tzset()


def test_milliseconds_are_no_epoch_seconds_whether_number_or_text() -> None:
    assert dropped(started(at=int(NOW) * 1_000)) == {"from the future": 1}
    assert dropped(started(at=f"{int(NOW)}000")) == {"from the future": 1}


def test_numbers_may_be_strings() -> None:
    texts = {"prompt_tokens": "1000", "max_tokens": "100", "cached_tokens": "0"}
    end = finished(**texts, completion_tokens="30.0", status="200", estimated="true")
    assert window(started(**texts), end) == window(started(cached_tokens=0), finished())
    assert window(finished(status="429")).refused == 1


def test_unknown_fields_are_ignored() -> None:
    assert window(started(tenant={"any": "thing"}, region="sweden", v=2)).calls == 1


def test_a_message_may_hold_several_events() -> None:
    assert window([started(), finished()], started()) == window(started(), finished(), started())
    assert window(b" \n [%s]" % json.dumps(started()).encode()).calls == 1


def test_in_an_array_a_bad_event_does_not_touch_its_neighbours() -> None:
    (usage,), tally = aggregate([started(), None, started(at="soon"), 5, [], started()])
    assert usage.windows[0].calls == 2
    assert (tally.taken, tally.dropped) == (2, Counter({"JSON": 3, "at": 1}))


# --- what is dropped, and counted -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "why"),
    [
        pytest.param(MAX_AHEAD_SECONDS, None, id="just in time"),
        pytest.param(MAX_AHEAD_SECONDS + 0.01, "from the future", id="just ahead of us"),
        pytest.param(1e9, "from the future", id="decades ahead"),
        pytest.param(-MAX_AGE_SECONDS, None, id="just young enough"),
        pytest.param(-MAX_AGE_SECONDS - 0.01, "too old", id="just too old"),
        pytest.param(-NOW, "too old", id="1970"),
    ],
)
def test_an_event_has_to_be_of_now(offset: float, why: str | None) -> None:
    for event in (started(at=NOW + offset), finished(at=NOW + offset)):
        _, tally = aggregate(event)
        assert tally.dropped == (Counter() if why is None else {why: 1})


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(b"", "JSON", id="empty"),
        pytest.param(b"started", "JSON", id="no JSON"),
        pytest.param(b'{"kind": "started", ', "JSON", id="cut off"),
        pytest.param(b"[" + json.dumps(started()).encode(), "JSON", id="an array that is cut off"),
        pytest.param(b"\xff\xfe\x00", "JSON", id="no text"),
        pytest.param(b"[" * 100_000, "JSON", id="nested without end"),
        pytest.param(b"7", "JSON", id="a number"),
        pytest.param(b"{}", "kind", id="an empty object"),
        pytest.param(started(kind="began"), "kind", id="unknown kind"),
        pytest.param(without(started(), "kind"), "kind", id="no kind"),
        pytest.param(started(deployment="gpt-9"), "unknown deployment", id="unknown deployment"),
        pytest.param(started(deployment=None), "deployment", id="no deployment"),
        pytest.param(without(started(), "at"), "at", id="no time"),
        pytest.param(started(at=None), "at", id="time is null"),
        pytest.param(started(at="yesterday"), "at", id="no such time"),
        pytest.param(started(at=""), "at", id="time is empty"),
        pytest.param(started(at="Infinity"), "at", id="time without end"),
        pytest.param(started(at=float("nan")), "at", id="time is NaN"),
        pytest.param(without(started(), "prompt_tokens"), "prompt_tokens", id="start, no prompt"),
        pytest.param(started(prompt_tokens=-1), "prompt_tokens", id="negative"),
        pytest.param(started(prompt_tokens="many"), "prompt_tokens", id="no number"),
        pytest.param(started(prompt_tokens="NaN"), "prompt_tokens", id="NaN as text"),
        pytest.param(started(max_tokens=float("nan")), "max_tokens", id="NaN"),
        pytest.param(started(max_tokens=float("inf")), "max_tokens", id="infinite"),
        pytest.param(started(max_tokens=MAX_TOKENS + 1), "max_tokens", id="days of work"),
        pytest.param(started(cached_tokens={}), "cached_tokens", id="an object"),
        pytest.param(
            b'{"kind":"started","deployment":"ptu","at":1800000000,"prompt_tokens":1%s}'
            % (b"0" * 400),
            "prompt_tokens",
            id="beyond a float",
        ),
        pytest.param(finished(prompt_tokens=None), "prompt_tokens", id="end, no prompt"),
        pytest.param(finished(completion_tokens=None), "completion_tokens", id="end, no answer"),
        pytest.param(finished(status="fine"), "status", id="no status"),
        pytest.param(finished(estimated="perhaps"), "estimated", id="neither true nor false"),
        pytest.param(started(id={}), "id", id="an id that is none"),
        pytest.param(started(id="x" * (MAX_ID_CHARS + 1)), "id", id="an id to fill our memory"),
        pytest.param(
            {"kind": "finished", "deployment": "ptu", "at": NOW, "status": 500},
            "prompt_tokens",
            id="a failure that nothing is known of",
        ),
    ],
)
def test_what_makes_no_sense_is_dropped_and_counted_by_its_first_fault(
    body: Event | bytes, why: str
) -> None:
    assert dropped(body) == {why: 1}


def test_dropped_events_do_not_touch_those_around_them() -> None:
    (usage,), tally = aggregate(b"junk", started(), started(at=0), b"{}", finished())
    assert usage.windows == (window(started(), finished()),)
    assert (tally.taken, tally.dropped) == (2, {"JSON": 1, "too old": 1, "kind": 1})


def test_estimates_are_taken_as_they_are_and_counted() -> None:
    _, tally = aggregate(
        started(estimated=True), finished(estimated=True), finished(), finished(status=429)
    )
    assert (tally.taken, tally.used, tally.estimated) == (4, 2, 1)
    assert window(finished(estimated=True)) == window(finished())


def test_tallies_add_up() -> None:
    total = Tally()
    total.add(aggregate(started(), b"junk")[1])
    total.add(aggregate(finished(estimated=True), b"junk", started(at=0))[1])
    assert (total.taken, total.used, total.estimated) == (2, 1, 1)
    assert total.dropped == {"JSON": 2, "too old": 1}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = [*finished(), "id", "cached_tokens", "estimated"]


@given(
    st.lists(
        st.dictionaries(st.sampled_from(FIELDS), ANYTHING).map(lambda odd: finished(**odd)),
        max_size=5,
    )
)
def test_whatever_an_event_says_nothing_is_raised_and_each_is_counted(odd: list[Event]) -> None:
    messages: list[Any] = [*odd, finished(), odd]
    usages, tally = aggregate(*messages)
    assert tally.taken + sum(tally.dropped.values()) == 2 * len(odd) + 1
    assert tally.taken >= 1
    assert usages[0].windows  # all finite, or it would have raised


@given(st.binary(max_size=30))
def test_whatever_a_message_is_nothing_is_raised(body: bytes) -> None:
    _, tally = aggregate(body)
    assert tally.taken == 0


# --- several resources ----------------------------------------------------------------------------

IN_AZURE = (
    AzureDeployment(
        backend="west",
        deployment="gpt-4.1",
        resource_id="/x/accounts/west-ai",
        endpoint="https://w",
    ),
    AzureDeployment(
        backend="east",
        deployment="GPT-4.1",
        resource_id="/x/accounts/east-ai",
        endpoint="https://e",
    ),
    AzureDeployment(backend="alone", deployment="gpt-mini", resource_id="/x/accounts/west-ai"),
)


@pytest.mark.parametrize(
    ("said", "backend"),
    [
        pytest.param({"deployment": "gpt-4.1", "backend": "EAST"}, "east", id="the app's name"),
        pytest.param(
            {"deployment": "GPT-4.1", "resource": "east-ai"}, "east", id="the account's name"
        ),
        pytest.param({"deployment": "gpt-4.1", "resource": "https://w/"}, "west", id="endpoint"),
        pytest.param({"deployment": "gpt-mini"}, "alone", id="a deployment that only one has"),
        pytest.param({"deployment": "West"}, "west", id="the app's name as the deployment"),
    ],
)
def test_an_event_of_several_resources_finds_its_backend(
    said: dict[str, str], backend: str
) -> None:
    events = UsageEvents(dict.fromkeys(("west", "east", "alone"), MODEL), deployments=IN_AZURE)
    (usage,), tally = aggregate(started(**said), events=events)
    assert (usage.deployment, tally.taken) == (backend, 1)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param({"deployment": "gpt-4.1"}, "ambiguous deployment", id="two have it"),
        pytest.param(
            {"deployment": "gpt-4.1", "backend": "north"}, "unknown backend", id="no such backend"
        ),
        pytest.param(
            {"deployment": "gpt-4.1", "resource": "north-ai"},
            "unknown deployment",
            id="no such resource",
        ),
        pytest.param(
            {"deployment": "gpt-mini", "resource": "east-ai"},
            "unknown deployment",
            id="the resource has no such deployment",
        ),
        pytest.param(
            {"deployment": "gpt-4.1", "backend": 7}, "backend", id="a backend that is no text"
        ),
    ],
)
def test_an_event_that_could_be_of_several_is_put_aside(
    said: dict[str, object], reason: str
) -> None:
    events = UsageEvents(dict.fromkeys(("west", "east", "alone"), MODEL), deployments=IN_AZURE)
    usages, tally = aggregate(started(**said), events=events)
    assert (usages, dict(tally.dropped)) == ([], {reason: 1})
