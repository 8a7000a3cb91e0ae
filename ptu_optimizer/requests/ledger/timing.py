"""The times that the ledger protocol stands on, in seconds, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How they relate: `lease = call_limit + write_budget + skew` (docs/ledger.md, rule 4)."""

    call_limit: float
    """Total time of one call to a deployment."""
    write_budget: float
    """For the creates around a call: half of it for the store, then half for the hub."""
    skew: float
    """By how much two clocks may differ. Others act only after lease_until + skew."""
    hold: float
    """At most this long an event is held at a closed gate, or for its time to come."""
    invocation_budget: float
    """At most this long an invocation starts new work; what is left is re-scheduled."""
    turn_wait: float
    """At most this long a request waits while another process holds the send lease. Publishing
    it again would gain nothing: the requests behind it in its partition could not be sent from
    here either. The invocation budget starts again when the lease comes."""
    first_deferral: float = 2.0
    """The first interval between publications of a deferred request; it doubles, up to `hold`."""
    backoff: float = 1.0
    """The first pause after a transient failure; it doubles, with jitter, up to a minute."""

    @property
    def lease(self) -> float:
        return self.call_limit + self.write_budget + self.skew

    @property
    def least_call(self) -> float:
        """With less than this left of a lease, a call is not worth starting."""
        return min(1.0, self.call_limit / 4)

    def deferral_interval(self, deferrals: int) -> float:
        """Grows, capped at the hold budget (docs/ledger.md, rule 10)."""
        return float(min(self.hold, self.first_deferral * 2 ** min(deferrals, 20)))

    def failure_pause(self, failures: int, jitter: float) -> float:
        """`jitter` from 0 to 1: between half and all of the doubled pause."""
        return float(min(60.0, self.backoff * 2 ** min(failures, 10)) * (0.5 + jitter / 2))
