from __future__ import annotations

from pixstore.bench.style import look


def test_ways_of_one_engine_share_a_colour_and_differ_without_it() -> None:
    looks = [look(way) for way in ("tutorial-lmdb", "hand-lmdb", "lmdb/raw", "lmdb/png", "lmdb/raw@power", "lmdb/raw@1thread")]
    assert len({each.colour for each in looks}) == 1
    assert len({(str(each.line), each.mark, each.is_hollow) for each in looks}) == len(looks)


def test_ways_by_hand_with_one_library_differ_without_colour() -> None:
    looks = [look(way) for way in ("tutorial-hdf5", "hand-hdf5", "hand-hdf5-chunked", "hand-hdf5-gzip", "hdf5/raw", "hdf5/png")]
    assert len({(str(each.line), each.mark) for each in looks}) == len(looks)


def test_engines_differ_in_colour() -> None:
    assert (
        len({look(f"{engine}/png").colour for engine in ("packed", "files", "lmdb", "hdf5", "sqlite")} | {look("hand-memmap").colour}) == 6
    )
