from __future__ import annotations

import pytest

from pixstore.bench import experiments
from pixstore.errors import InvalidInputError


def test_single_image_comes_first_and_cutoffs_ascend() -> None:
    stages = experiments.stages(experiments.EXPERIMENTS, [100, 1, 10, 10])
    assert [(stage.store, stage.images) for stage in stages] == [
        ("store-one", 1),
        ("store-many", 1),
        ("store-many", 10),
        ("store-many", 100),
    ]
    assert stages[-1].reads == ("read-many", "read-shuffled")


def test_reading_alone_still_stores_but_does_not_time_it() -> None:
    (stage,) = experiments.stages(["read-shuffled"], [10])
    assert (stage.reads, stage.times_store, stage.measures_disk) == (("read-shuffled",), False, False)


@pytest.mark.parametrize(
    ("total", "cutoffs"),
    [(None, [1, 10, 100, 1000, 10_000, 100_000]), (290, [1, 10, 100, 290]), (1, [1]), (60_000, [1, 10, 100, 1000, 10_000, 60_000])],
)
def test_default_cutoffs_end_with_the_whole_set(total: int | None, cutoffs: list[int]) -> None:
    assert experiments.default_cutoffs(total) == cutoffs


@pytest.mark.parametrize("names", [[], ["read-most"]])
def test_unknown_experiments_are_refused_with_the_list(names: list[str]) -> None:
    with pytest.raises(InvalidInputError, match="read-shuffled"):
        experiments.check(names)
