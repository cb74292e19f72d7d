from __future__ import annotations

import copy

from pixstore.bench import Results, conditions


def test_equal_runs_have_equal_conditions(measured: Results) -> None:
    assert conditions.differences(copy.deepcopy(measured), measured) == []
    assert conditions.yardsticks(copy.deepcopy(measured), measured)["copying memory"] == 1.0


def test_everything_that_differs_is_named_with_both_values(measured: Results) -> None:
    new = copy.deepcopy(measured)
    new.machine |= {"cpus": 4, "versions": {"numpy": "2.1", "lmdb": "1.6"}}
    new.source["largest"] = [64, 64, 3]
    new.run |= {"budget_seconds": 60.0, "interrupted": True}
    new.run["ways"]["packed/png"]["threads"] = 4
    assert conditions.differences(new, measured) == [
        "CPUs in use: 2 → 4",
        "version of numpy: 2.0 → 2.1",
        "version of lmdb: not told → 1.6",
        "largest shape: [32, 32, 3] → [64, 64, 3]",
        "budget in seconds: 120 → 60",
        "interrupted: no → yes",
        "threads of packed/png: 2 → 4",
    ]


def test_yardsticks_compare_what_both_have_measured_on_the_same_images(measured: Results) -> None:
    new = copy.deepcopy(measured)
    new.run["limits"]["write"] *= 2
    del new.run["limits"]["inflate"]
    found = conditions.yardsticks(new, measured)
    assert found["writing"] == 2.0 and "inflating" not in found
    new.run["limits"]["images"] = 2000
    assert conditions.yardsticks(new, measured) == {}
    assert conditions.differences(new, measured) == ["images that the machine's own speed was measured with: 1000 → 2000"]
