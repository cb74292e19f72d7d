"""The figures of a page: medians over rounds, and how others compare with pixstore."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

OWN = "pixstore"
LIMIT = "gather"


@dataclass(frozen=True)
class Row:
    """One candidate; rates are images per second. `problem` says why there are none."""

    name: str
    peer: str
    setting: str
    problem: str = ""
    differs: str = ""
    rate: float = 0.0
    slowest: float = 0.0
    fastest: float = 0.0
    ratio: float = 0.0
    """pixstore's rate as a multiple of this one's, pixstore being the first candidate."""
    first_batch_seconds: float = 0.0
    peak_bytes: int = 0
    store_bytes: int | None = None
    making_seconds: float | None = None

    @property
    def is_own(self) -> bool:
        return self.peer == OWN

    @property
    def is_limit(self) -> bool:
        """Whether this is no loader but what the memory allows."""
        return self.peer == LIMIT


def rows(measured: dict[str, Any]) -> list[Row]:
    """Return one row per candidate of a workload, the fastest first, those without a figure last."""
    images = measured["images"]
    reference = _rates(measured["candidates"][0], images)
    own = statistics.median(reference) if reference else 0.0
    found = [_row(candidate, images, own) for candidate in measured["candidates"]]
    return sorted(found, key=lambda row: -row.rate)


def _row(candidate: dict[str, Any], images: int, own: float) -> Row:
    who = {name: candidate[name] for name in ("name", "peer", "setting")}
    rates = _rates(candidate, images)
    if "failure" in candidate or not rates:
        return Row(**who, problem=candidate.get("failure", "not measured"))
    rate = statistics.median(rates)
    rounds = candidate["rounds"]
    made = candidate.get("conversion", {})
    return Row(
        **who,
        differs=candidate.get("differs", ""),
        rate=rate,
        slowest=min(rates),
        fastest=max(rates),
        ratio=own / rate,
        first_batch_seconds=statistics.median(each["first_batch_seconds"] for each in rounds),
        peak_bytes=max(each["peak_bytes"] for each in rounds),
        store_bytes=made.get("bytes"),
        making_seconds=made.get("seconds"),
    )


def _rates(candidate: dict[str, Any], images: int) -> list[float]:
    return [images / statistics.median(each["epoch_seconds"]) for each in candidate["rounds"]]
