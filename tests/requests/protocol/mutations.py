"""Changes of the code that break one rule each, and the tests that must then fail.

A mutation replaces a piece of text that occurs exactly once in its module, so that a change of the
code which makes it void is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """Replace `old` by `new` in `ptu_optimizer/{module}.py`; then `test` must fail."""

    test: str
    module: str
    old: str
    new: str

    @property
    def name(self) -> str:
        return f"{self.test.removeprefix('test_')}-{self.module.rpartition('/')[2]}"


SLOTS = "requests/ledger/slots"
RULES = "requests/ledger/rules"
ATTEMPT = "requests/dispatch/attempt"
OUTCOMES = "requests/ledger/outcomes"
DISPATCHER = "requests/dispatch/dispatcher"
HANDLER = "requests/dispatch/handler"
NEXT_MOVE = "requests/dispatch/next_move"
DEFERRAL = "requests/dispatch/rescheduling"
GATE = "admission/gate"
SWEEP = "requests/sweep/sweep"
REPUBLISH = "requests/sweep/republish"
CANCEL = "requests/status/cancel"
WATERMARK = "requests/sweep/watermark"
GROUPS = "requests/groups"
PROMISE = "requests/intake/group_record"

MUTATIONS = [
    # 1: slots carried by events
    Mutation(
        "test_rule_01_who_meets_a_live_attempt_carries_the_slot_that_refused_him",
        RULES,
        'Later(top.n, free_at, "another attempt',
        'Later(top.n + 1, free_at, "another attempt',
    ),
    Mutation(
        "test_rule_01_a_take_over_that_is_not_admitted_carries_the_slot_of_the_attempt",
        NEXT_MOVE,
        "return claim.n - 1 if claim.takes_over else claim.n",
        "return claim.n",
    ),
    Mutation(
        "test_rule_01_the_next_slot_is_carried_after_a_released_one_was_created",
        ATTEMPT,
        "return Released(released.n + 1,",
        "return Released(released.n,",
    ),
    Mutation(
        "test_rule_01_a_released_slot_of_unknown_fate_is_not_stepped_over",
        ATTEMPT,
        "return Later(attempt.request.event.slot, ",
        "return Later(slot.n + 1, ",
    ),
    # 2: claim tokens
    Mutation(
        "test_rule_02_a_claim_that_landed_unseen_is_recognised_by_its_token",
        RULES,
        "if mine is not None and mine is top and token and mine.claim_token == token:",
        "if mine is not None and not token:",
    ),
    Mutation(
        "test_rule_02_every_claim_has_a_token_of_its_own",
        SLOTS,
        "return secrets.token_hex(8)",
        'return "always the same"',
    ),
    Mutation(
        "test_rule_02_an_outcome_that_landed_unseen_is_no_duplicate_call",
        OUTCOMES,
        "                if refused_by.claim_token == outcome.claim_token:\n"
        "                    return None\n"
        "                return duplicate_of",
        "                return duplicate_of",
    ),
    Mutation(
        "test_rule_02_an_outcome_that_came_second_is_kept_for_the_books",
        OUTCOMES,
        "        if refused_by.claim_token == outcome.claim_token:\n"
        "            return None\n"
        "        return duplicate_of",
        "        return None\n        return duplicate_of",
    ),
    # 3: records that are not visible yet
    Mutation(
        "test_rule_03_who_is_refused_by_an_invisible_record_comes_back_with_the_same_slot",
        RULES,
        'Later(n, seen.now + visibility_delay, "its last record is not visible yet")\n    if mine',
        'Later(n + 1, seen.now + visibility_delay, "its last record is not visible")\n    if mine',
    ),
    # 4: leases
    Mutation(
        "test_rule_04_a_holder_whose_time_is_nearly_over_releases_instead_of_calling",
        ATTEMPT,
        "left = started + self._timing.call_limit - self._clock.monotonic()",
        "left = self._timing.call_limit",
    ),
    Mutation(
        "test_rule_04_others_act_only_after_lease_and_skew",
        RULES,
        "free_at = top.lease_until + seen.skew",
        "free_at = top.lease_until",
    ),
    Mutation(
        "test_rule_04_others_act_only_after_lease_and_skew",
        RULES,
        "not cancelling and now <= top.lease_until + skew",
        "not cancelling and now <= top.lease_until",
    ),
    # 5: take-over
    Mutation(
        "test_rule_05_only_an_event_that_came_after_the_lease_takes_over",
        RULES,
        "if not seen.on_later or seen.enqueued_at <= free_at:",
        "if not seen.on_later:",
    ),
    Mutation(
        "test_rule_05_only_an_event_that_came_after_the_lease_takes_over",
        RULES,
        "if not seen.on_later or seen.enqueued_at <= free_at:",
        "if seen.enqueued_at <= free_at:",
    ),
    Mutation(
        "test_rule_05_only_an_event_that_came_after_the_lease_takes_over",
        NEXT_MOVE,
        "        case Later():\n",
        "        case Later():\n            return Done()\n",
    ),
    Mutation(
        "test_rule_05_what_meets_a_live_attempt_goes_where_it_may_take_over_spillover_or_not",
        HANDLER,
        "if not move.to_take_over and",
        "if",
    ),
    Mutation(
        "test_rule_05_a_result_event_is_written_before_a_take_over_behind_it_is_decided",
        DISPATCHER,
        "duplicates = await asyncio.gather(*map(self._outcomes.deliver, results))",
        "duplicates = []\n        asyncio.gather(*map(self._outcomes.deliver, results))",
    ),
    Mutation(
        "test_rule_05_a_take_over_of_unknown_fate_ends_the_invocation",
        RULES,
        "    if token and mine is None:\n        # our take-over",
        "    if False:\n        # our take-over",
    ),
    # 6: failures
    Mutation(
        "test_rule_06_a_request_whose_workers_are_lost_again_and_again_fails_without_a_call",
        RULES,
        "return Claim(top.n + 1, top.failures + 1, takes_over=True)",
        "return Claim(top.n + 1, top.failures, takes_over=True)",
    ),
    Mutation(
        "test_rule_06_transient_failures_are_counted_by_the_ledger_up_to_the_limit",
        ATTEMPT,
        "failures=slot.failures + failures,",
        "failures=slot.failures,",
    ),
    Mutation(
        "test_rule_06_a_429_is_no_failure",
        ATTEMPT,
        'why="the deployment answered 429",\n                    failures=0,',
        'why="the deployment answered 429",\n                    failures=1,',
    ),
    Mutation(
        "test_rule_06_a_deployment_that_is_full_for_long_does_not_fill_the_ledger",
        ATTEMPT,
        "pause=self._pause_of_refused(attempt),",
        "pause=0.0,",
    ),
    Mutation(
        "test_rule_06_a_released_slot_binds_copies_that_know_nothing_of_it",
        RULES,
        "if seen.now < top.not_before:",
        "if False:",
    ),
    # 7: outcomes
    Mutation(
        "test_rule_07_an_outcome_that_the_store_cannot_take_travels_and_is_not_paid_again",
        OUTCOMES,
        "        await self._publish(ResultEvent(request_id=outcome.request_id, record=record), "
        "until=until)\n",
        "",
    ),
    Mutation(
        "test_rule_07_a_result_event_is_published_before_the_lease_ends",
        OUTCOMES,
        "store_until = until - self._timing.write_budget / 2",
        "store_until = until + 2 * self._timing.write_budget",
    ),
    Mutation(
        "test_rule_07_a_result_event_that_finds_no_place_holds_its_partition",
        OUTCOMES,
        "            raise OutcomeHasNoPlace(outcome.id)\n",
        "            return None\n",
    ),
    # 8: cancel and expiry
    Mutation(
        "test_rule_08_a_cancel_may_end_a_live_attempt_whose_success_is_then_a_duplicate",
        RULES,
        "Kind.ATTEMPT and not cancelling and now",
        "Kind.ATTEMPT and now",
    ),
    Mutation(
        "test_rule_08_an_expiry_after_a_lost_attempt_needs_no_sweep",
        NEXT_MOVE,
        "must_read = event.slot > 1 or now >= event.deadline",
        "must_read = event.slot > 1",
    ),
    Mutation(
        "test_rule_08_a_cancel_refused_by_what_it_cannot_see_says_that_it_is_not_known",
        CANCEL,
        "            if created is Created.CREATED:\n",
        "            if created is not Created.UNKNOWN:\n",
    ),
    # 9: publishing
    Mutation(
        "test_rule_09_a_copy_that_is_not_acknowledged_is_published_again",
        DEFERRAL,
        "self._waiting += batch",
        "pass",
    ),
    Mutation(
        "test_rule_09_a_batch_whose_copies_find_no_hub_is_kept",
        DEFERRAL,
        "if not await backoff.again():\n                    raise",
        "if not await backoff.again():\n                    return",
    ),
    # 10: copies
    Mutation(
        "test_rule_10_a_copy_older_than_what_this_process_published_is_dropped",
        HANDLER,
        "if self._memory.is_stale(event):",
        "if False:",
    ),
    Mutation(
        "test_rule_10_the_copy_that_this_process_published_is_not_dropped",
        DEFERRAL,
        "(event.deferrals, event.slot) < known.version",
        "(event.deferrals, event.slot) <= known.version",
    ),
    Mutation(
        "test_rule_10_what_was_published_is_forgotten_so_that_a_lost_event_can_come_again",
        DEFERRAL,
        "if known.forget_at <= self._clock.now():",
        "if False:",
    ),
    Mutation(
        "test_rule_10_a_copy_is_never_taken_for_stale_because_it_carries_a_lower_slot",
        DEFERRAL,
        "(event.deferrals, event.slot) < known.version",
        "(event.slot, event.deferrals) < known.version[::-1]",
    ),
    Mutation(
        "test_rule_10_an_event_that_has_to_wait_does_not_circle_the_hub",
        NEXT_MOVE,
        "wait = due - now",
        "wait = 0.0",
    ),
    Mutation(
        "test_rule_10_what_is_too_late_does_not_circle_the_hub_while_clocks_differ",
        NEXT_MOVE,
        "due = standing.due if claim is None else min(standing.due, event.deadline)",
        "due = min(standing.due, event.deadline)",
    ),
    Mutation(
        "test_rule_10_copies_that_meet_in_a_batch_become_one",
        DISPATCHER,
        "return _newest_copies(requests)",
        "return requests",
    ),
    Mutation(
        "test_rule_10_an_invocation_starts_no_attempt_after_its_budget",
        GATE,
        "if came >= ask.limits.until:",
        "if False:",
    ),
    # 11: the sweep
    Mutation(
        "test_rule_11_a_backlog_of_hours_makes_no_copies",
        WATERMARK,
        "lowest = min(lowest, mark)",
        "lowest = now",
    ),
    Mutation(
        "test_rule_11_a_lost_event_is_found",
        WATERMARK,
        "if state.is_empty or state.last_sequence_number <= read_to:",
        "if False:",
    ),
    Mutation(
        "test_rule_11_sweeps_that_overlap_publish_once",
        REPUBLISH,
        "if await self._store.create(mark) is not Created.CREATED:",
        "if await self._store.create(mark) is Created.UNKNOWN:",
    ),
    Mutation(
        "test_rule_11_the_sweep_publishes_at_growing_intervals",
        SWEEP,
        "self._pause * 2 ** min(len(marks), 16)",
        "self._pause",
    ),
    Mutation(
        "test_rule_11_the_sweep_lets_live_attempts_and_outcomes_alone",
        SWEEP,
        "            if n is None:\n                continue",
        "            if n is None:\n                lost.append(index)\n                continue",
    ),
    Mutation(
        "test_rule_11_a_lost_worker_s_request_comes_back_with_the_slot_of_its_attempt",
        REPUBLISH,
        "slot = top.n + 1 if top.kind is SlotKind.RELEASED else top.n",
        "slot = top.n + 1",
    ),
    Mutation(
        "test_rule_11_what_was_lost_with_its_worker_does_not_wait_for_the_backlog",
        REPUBLISH,
        "if top is not None and top.kind is SlotKind.ATTEMPT and top.enqueued_at > 0.0:",
        "if False:",
    ),
    Mutation(
        "test_rule_11_what_its_hub_delivers_again_is_not_lost_with_its_worker",
        REPUBLISH,
        "return max(top.enqueued_at, self.deferred_at(request_id), *since)",
        "return max(self.deferred_at(request_id), *since, 0.0)",
    ),
    # 12: annotations and the range of the sweep
    Mutation(
        "test_rule_12_losing_every_annotation_loses_no_request",
        HANDLER,
        "        if self._memory.is_stale(event):\n",
        "        known = await self._ledger.read(event.request_id)\n"
        "        if event.deferrals and not known.annotations:\n",
    ),
    Mutation(
        "test_rule_12_the_sweep_still_looks_at_the_oldest_group_that_can_be_open",
        SWEEP,
        "start = now - self._longest - self._timing.lease - self._timing.skew - BUCKET_SECONDS",
        "start = now - self._longest / 2",
    ),
    # 13 to 15: intake and ends
    Mutation(
        "test_rule_13_a_retry_with_the_same_key_gets_the_same_requests",
        PROMISE,
        "group = await self._ids.group(first.group_id, tenant=tenant)",
        "group = (await self._ids.mint()).mint(created_at=1e9, ends_at=2e9, count=1)",
    ),
    Mutation(
        "test_rule_13_a_retry_finishes_the_group_of_a_call_that_died",
        PROMISE,
        "is_stored=stored is not None,",
        "is_stored=True,",
    ),
    Mutation(
        "test_rule_13_a_key_stands_for_one_body",
        PROMISE,
        "if first.body_sha256 != mine.body_sha256:",
        "if False:",
    ),
    Mutation(
        "test_rule_13_a_group_whose_create_landed_unseen_is_accepted_once",
        PROMISE,
        "return Created.CREATED if ours else Created.REFUSED",
        "return Created.REFUSED",
    ),
    Mutation(
        "test_rule_14_closing_leaves_the_group_record_as_it_was",
        GROUPS,
        '"id": f"{self.group_id}:closed",',
        '"id": self.group_id,',
    ),
    Mutation(
        "test_rule_15_after_its_end_a_request_is_gone_and_its_events_are_dropped",
        DISPATCHER,
        "if self._clock.now() >= group.ends_at:",
        "if False:",
    ),
    Mutation(
        "test_rule_15_every_other_slot_ends_its_life_before_the_outcome",
        SLOTS,
        "margin = OUTCOME_TTL_MARGIN_SECONDS if self.kind.is_outcome else 0",
        "margin = 0",
    ),
    Mutation(
        "test_rule_15_a_group_ends_after_its_last_deadline_the_retention_and_a_lease",
        PROMISE,
        "self._margin = hub_retention_seconds + timing.lease + timing.skew",
        "self._margin = timing.lease + timing.skew",
    ),
]
