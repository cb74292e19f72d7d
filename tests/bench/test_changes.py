from __future__ import annotations

import json

import pytest

from pixstore.bench.changes import FAILED_NOW, HEADS, Change, Comparison
from pixstore.bench.measurements import Bytes
from pixstore.bench.statistics import Spread

FAST, SLOW = Spread.of([1.0, 1.1, 1.2, 1.1]), Spread.of([2.0, 2.2, 2.4, 2.2])
CHANGES = (
    Change("read-many", "packed/png", 1000, {}, "seconds", FAST, FAST, "same", 1.0),
    Change("store-many", "packed/png", 1000, {}, "seconds", SLOW, FAST, "faster", 0.5),
    Change("order", "b", 100, {"order": "shuffled", "batch": 64}, "seconds", FAST, Spread.of([4.4] * 4), "slower", 4.0),
    Change("store-one", "b", 1, {}, "bytes", Bytes(1000, 4096), Bytes(1001, 4096), "larger", 1.001),
    Change("read-one", "b", 1, {}, "seconds", FAST, None, "cannot tell", None, f"{FAILED_NOW}: OSError: gone"),
    Change("read-many", "b", 10, {}, "seconds", None, FAST, "cannot tell", None, "only in the new run"),
)


def comparison(changes: tuple[Change, ...] = CHANGES, **more: object) -> Comparison:
    values: dict[str, object] = {"conditions": (), "yardsticks": {}, "thresholds": {"read-many": 1.15}, "titles": {"b": "B"}}
    return Comparison(changes, **(values | more))  # type: ignore[arg-type]


def test_rows_hold_what_failed_then_what_changed_the_most_first() -> None:
    found = comparison()
    assert found.heads == HEADS and all(len(row) == len(HEADS) for row in found.rows)
    assert found.rows == [
        ("B", "b", "read-one, 1 image", "1.1 s (1 s – 1.2 s)", "–", "–", "failed in the new run: OSError: gone"),
        ("B", "b", "order, 100 images, order shuffled, batch 64", "1.1 s (1 s – 1.2 s)", "4.4 s (4.4 s – 4.4 s)", "4×", "slower"),
        ("packed/png", "packed/png", "store-many, 1,000 images", "2.2 s (2 s – 2.4 s)", "1.1 s (1 s – 1.2 s)", "0.5×", "faster"),
        ("B", "b", "store-one, 1 image, bytes on disk", "1 kB", "1 kB", "1×", "larger"),
    ]
    table = found.table()
    assert table is not None and list(table.rows) == found.rows


def test_nothing_changed_is_no_table() -> None:
    assert comparison(CHANGES[:1]).table() is None


def test_sentences_count_what_became_of_the_cells_and_name_the_most() -> None:
    assert comparison().sentences() == [
        "Of 6 cells: 1 slower, 1 faster, 1 larger, 1 same.",
        "Of 2 cells nothing can be told: 1 failed in the new run, 1 only in the new run.",
        "Slower: B, order, 100 images, order shuffled, batch 64, 4× the time.",
        "Faster: packed/png, store-many, 1,000 images, 0.5× the time.",
        "A time counts as changed from a factor of 1.15 on, where its repeats are apart too.",
    ]
    assert comparison((), thresholds={}).sentences()[0] == "Of 0 cells: none can be compared."


def test_other_conditions_and_another_machine_come_first_and_loudly() -> None:
    first, second, *_ = comparison(conditions=("CPUs in use: 2 → 4",), yardsticks={"writing": 2.0, "inflating": 1.0}).sentences()
    assert first == "CAUTION, the runs differ in more than what they measured: CPUs in use: 2 → 4."
    assert second.startswith("CAUTION, the machine itself") and "writing takes 2× the time. Nothing is corrected for that." in second
    (quiet, *_) = comparison(yardsticks={"writing": 1.05}).sentences()
    assert quiet == "The machine itself is as fast as before: writing 1.05× the time."


@pytest.mark.parametrize("ratio", [1.3, 1 / 1.3])
def test_faster_machines_are_told_as_slower_ones_are(ratio: float) -> None:
    assert comparison(yardsticks={"writing": ratio}).sentences()[0].startswith("CAUTION")


def test_wider_scatter_is_said_with_the_experiment() -> None:
    last = comparison(thresholds={"cache": 1.314, "order": 1.15}).sentences()[-1]
    assert last.endswith("from more where the two runs scatter more: cache 1.31.")
    last = comparison(thresholds={"cache": 1.314, "order": 1.314}).sentences()[-1]
    assert last.endswith("; here from 1.31 on, because the two runs scatter as much as that.")


def test_json_holds_every_cell() -> None:
    value = json.loads(json.dumps(comparison().to_json()))
    assert len(value["cells"]) == len(CHANGES)
    assert value["verdicts"] == {"same": 1, "faster": 1, "slower": 1, "larger": 1, "cannot tell": 2}
    assert value["cells"][2]["setting"] == {"order": "shuffled", "batch": 64}
    assert value["cells"][3]["after"] == {"apparent": 1001, "allocated": 4096}
