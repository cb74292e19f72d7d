from __future__ import annotations

import time
from pathlib import Path

from pixstore.bench.experiments import Stage
from pixstore.bench.images import built_in
from pixstore.bench.session import Limits, Session
from pixstore.bench.stage import StageRun


def test_ways_take_turns_in_changing_order(tmp_path: Path) -> None:
    told: list[str] = []
    session = Session(
        built_in(5),
        ["tutorial-png", "tutorial-hdf5"],
        tmp_path,
        Limits(8, 60.0),
        time.monotonic(),
        lambda progress: told.append(progress.doing),
    )
    StageRun(session, Stage(5, "store-many", ("read-many",), True, False)).run(8)
    stored = [doing.split(", ")[2] for doing in told if "store-many" in doing]
    turns = {tuple(stored[start : start + 2]) for start in range(0, 16, 2)}
    assert turns == {("PNG files", "HDF5"), ("HDF5", "PNG files")}
    # Storing and reading alternate: nothing is read before everybody has stored.
    assert [doing.split(", ")[1] for doing in told] == ["store-many", "store-many", "read-many", "read-many"] * 8


def test_nothing_is_left_and_disk_is_measured_where_asked(tmp_path: Path) -> None:
    session = Session(built_in(5), ["tutorial-hdf5"], tmp_path, Limits(1, 60.0), time.monotonic(), None)
    StageRun(session, Stage(1, "store-one", ("read-one",), True, False)).run(1)
    StageRun(session, Stage(5, "store-many", (), False, True)).run(1)
    session.finish()
    assert list(tmp_path.iterdir()) == []
    assert [(cell.experiment, cell.images, cell.seconds is None, cell.bytes is None) for cell in session.results.cells] == [
        ("store-one", 1, False, False),
        ("read-one", 1, False, True),
        ("disk", 5, True, False),
    ]
