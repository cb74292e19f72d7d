"""`pixstore compact`: what it will win, then that it did."""

from __future__ import annotations

import json
from pathlib import Path

import pixstore as library


def test_it_says_what_it_will_win_before_it_does(pixstore, store: Path) -> None:
    dry = pixstore("compact", store, "--dry-run")
    assert dry.status == 0 and "1 shard become 1, " in dry.out and "1 deleted or replaced sample will be left out" in dry.out
    assert library.open(store).store_manifest.version == 2
    done = pixstore("compact", store)
    assert done.out.startswith(dry.out) and "version 3: 1 shard" in done.out and f"pixstore gc {store} --keep 1" in done.out
    assert "nothing to win" in pixstore("compact", store).out
    assert library.open(store).keys.to_pylist() == ["cats/a.png", "dogs/c.jpg"]


def test_json_has_the_figures(pixstore, store: Path) -> None:
    found = json.loads(pixstore("compact", store, "--shard-bytes", "1MB", "--json", "-").out)
    assert found["version"] == 3 and found["deleted_rows"] == 1 and found["bytes_won"] == found["bytes_before"] - found["bytes_after"] > 0
    assert pixstore("compact", store, "--shard-bytes", "much").status == 2


def test_borrowed_pixels_are_told(pixstore, store: Path) -> None:
    with library.Writer(store, mode="a", durability="process") as writer:
        writer.update("cats/a.png", label=1)
    assert "1 sample with pixels in shards of former versions" in pixstore("compact", store, "--dry-run").out
