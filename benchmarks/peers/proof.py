"""Whether all candidates of a workload did the same work."""

from __future__ import annotations

from typing import Any

from plan import Workload

MEAN_TOLERANCE = 0.04
"""Share of the range of values that means of randomly cropped images may differ by; JPEG encoded anew and other filters are within it."""
UINT8_RANGE, NORMALIZED_RANGE = 255, 4
EXACT = ("labels", "pixels", "paired", "shape")
CROPPED = ("labels", "shape")


def compare(workload: Workload, records: list[dict[str, Any]]) -> None:
    """Write into each record a line `differs` where its proof differs from that of the first candidate."""
    proven = [record for record in records if "proof" in record]
    for record in proven:
        expected, found = proven[0]["proof"], record["proof"]
        unequal = [name for name in (EXACT if workload.is_lossless else CROPPED) if expected[name] != found[name]]
        span = UINT8_RANGE if expected["shape"][-1] == "uint8" else NORMALIZED_RANGE
        if abs(expected["mean"] - found["mean"]) > MEAN_TOLERANCE * span:
            unequal.append("mean")
        if unequal:
            record["differs"] = ", ".join(f"{name} {found[name]} instead of {expected[name]}" for name in unequal)
            print(f"  {record['name']} differs: {record['differs']}")
