"""An outcome that the store could not take in time, on its way through a hub."""

from __future__ import annotations

from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.requests.envelope import UndecodableEvent

from .slots import Slot


class ResultEvent(BaseModel):
    """An outcome that could not be written in its budget: written on delivery, never paid again."""

    model_config = ConfigDict(frozen=True)
    v: Literal[1] = 1
    kind: Literal["result"] = "result"
    request_id: str
    record: JsonObject
    """The outcome slot as it goes into `requests`, with the claim token of its attempt."""

    @property
    def tenant(self) -> str:
        """Whose request it is, as its attempt wrote it down."""
        tenant = self.record.get("tenant", "")
        return tenant if isinstance(tenant, str) else ""

    def outcome(self) -> Slot:
        """The slot of its record. Raises UndecodableEvent if that is not an outcome of this
        request: such an event would hold its partition for as long as its group lives.
        """
        try:
            slot = Slot.from_record(self.record)
            expected = slot.record(ends_at=0, now=0)
            fits = all(self.record[name] == expected[name] for name in ("id", "slice"))
        except (KeyError, TypeError, ValueError):
            raise UndecodableEvent("record: is not a slot") from None
        if not fits or slot.request_id != self.request_id or not slot.kind.is_outcome:
            raise UndecodableEvent("record: is not an outcome of this request")
        return slot

    def encode(self) -> bytes:
        return orjson.dumps(self.__dict__)
