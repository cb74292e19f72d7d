"""`pixstore rm`: all of the keys, or none."""

from __future__ import annotations

from pathlib import Path

import pixstore as library


def test_samples_go_as_a_new_version(pixstore, store: Path) -> None:
    done = pixstore("rm", store, "cats/a.png", "dogs/c.jpg")
    assert (done.status, done.out) == (0, f"{store}: 2 samples taken out, version 3\n")
    assert len(library.open(store)) == 0 and len(library.open(store, version=1)) == 3


def test_missing_key_leaves_all_and_names_the_nearest(pixstore, store: Path) -> None:
    done = pixstore("rm", store, "cats/a.png", "dogs/c.jpeg")
    assert done.status == 2 and "no sample with key 'dogs/c.jpeg'; did you mean 'dogs/c.jpg'?" in done.err
    assert len(library.open(store)) == 2 and pixstore("rm", store).status == 2
