"""What a reader did, as one frozen record; each covers the one before it, so a changed log shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

ONCE = ("blind", "model", "evidence", "revision", "rating")  # steps of a case, each committed once and then frozen
FREE = ("opened", "draft", "paused", "quiz")  # may happen again and again


@dataclass(frozen=True)
class Reader:
    """A reader: a pseudonym at a site."""

    uid: str
    pseudonym: str
    site_uid: str


@dataclass(frozen=True)
class Event:
    """One thing that a reader did.

    Attributes
    ----------
    uid : str
        Unique among all sites.
    study_uid, reader_uid, case_id : str
    number : int
        Counts the reader's events in this study from 1, without a gap.
    kind : str
        One of `ONCE` or `FREE`.
    payload : dict
        What was answered or shown, as JSON values.
    at : str
        UTC, ISO 8601 with milliseconds.
    app_version : str
    digest : str
        SHA-256 over the event and the digest of the reader's event before.
    """

    uid: str
    study_uid: str
    reader_uid: str
    number: int
    case_id: str
    kind: str
    payload: dict[str, Any]
    at: str
    app_version: str
    digest: str

    @property
    def seconds(self) -> float:
        """Return the moment in seconds."""
        return datetime.fromisoformat(self.at).timestamp()

    def expected_digest(self, before: str) -> str:
        """Return the digest that this event must have after one with the digest `before`."""
        parts = [before, self.uid, self.study_uid, self.reader_uid, self.number, self.case_id, self.kind]
        return hashlib.sha256(canonical([*parts, self.payload, self.at, self.app_version]).encode()).hexdigest()


def canonical(content: object) -> str:
    """Return JSON that is the same wherever it is written; floats that are no numbers are refused."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def now() -> str:
    """Return the present moment as kept in the log."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def is_unbroken(events: Iterable[Event]) -> bool:
    """Whether the events of one reader in one study are complete and as they were written."""
    before = ""
    for number, event in enumerate(sorted(events, key=lambda event: event.number), start=1):
        if event.number != number or event.digest != event.expected_digest(before):
            return False
        before = event.digest
    return True
