from __future__ import annotations

from pixstore.bench.style import look


def test_ways_of_one_engine_share_a_colour_and_differ_without_it() -> None:
    looks = [look(way) for way in ("tutorial-lmdb", "lmdb/raw", "lmdb/png", "lmdb/raw@power", "lmdb/raw@1thread")]
    assert len({each.colour for each in looks}) == 1
    assert len({(str(each.line), each.mark, each.is_hollow) for each in looks}) == len(looks)


def test_engines_differ_in_colour() -> None:
    assert len({look(f"{engine}/png").colour for engine in ("packed", "files", "lmdb", "hdf5", "sqlite")}) == 5
