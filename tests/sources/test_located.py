"""What every source promises: the bytes that lie there, in place and through reads, in any order, and nothing written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixstore import registry
from pixstore.errors import InvalidInputError, MissingRecordError, ReadFailedError, RowNotFoundError, SchemaError, StoreBusyError
from pixstore.rows import Extents, Records, Slices
from pixstore.schema import Format
from pixstore.source import SourceOptions
from pixstore.sources import tutorial_hdf5, tutorial_lmdb

Made = Any


def bytes_of(records: Records) -> list[bytes]:
    """Return the records' bytes, read without any help of the sources."""
    place = records.place
    if isinstance(place, Slices):
        return [bytes(view or b"") for view in place.views()]
    if not isinstance(place, Extents):
        return [bytes(each) for each in place]
    found = []
    for file, offset, length in zip(place.file.tolist(), place.offset.tolist(), place.length.tolist(), strict=True):
        content = Path(place.paths[file]).read_bytes()
        found.append(content if length < 0 else content[offset : offset + length])
    return found


def everything_below(path: Path) -> list[tuple[str, int, int]]:
    files = sorted(path.rglob("*"))
    return [(str(each), each.stat().st_size, each.stat().st_mtime_ns) for each in files]


def test_a_made_layout_is_recognised(made: Made) -> None:
    assert made.source.recognises(made.path)


def test_rows_are_as_many_as_records_and_keys_differ(made: Made) -> None:
    source = made.source.open(made.path, SourceOptions())
    assert len(source) == len(made.records) == source.table.num_rows
    assert len(set(source.table["key"].to_pylist())) == len(source)
    assert source.table.schema.names == ["key", *source.schema.columns.names]


def test_read_gives_the_bytes_in_the_order_asked_with_repeats(made: Made) -> None:
    source = made.source.open(made.path, SourceOptions())
    rows = np.array([len(source) - 1, 0, 3, 3, 1], np.int64)
    assert bytes_of(source.read("image", rows)) == [made.records[row] for row in rows]


def test_what_is_located_are_the_same_bytes(made: Made) -> None:
    source = made.source.open(made.path, SourceOptions())
    rows = np.random.default_rng(0).permutation(len(source)).astype(np.int64)
    located = source.locate("image", rows)
    if located is None:
        assert "compressed" in os.environ["PYTEST_CURRENT_TEST"]
    else:
        assert bytes_of(located) == [made.records[row] for row in rows]


def test_no_rows_are_no_records(made: Made) -> None:
    source = made.source.open(made.path, SourceOptions())
    assert bytes_of(source.read("image", np.zeros(0, np.int64))) == []


def test_a_record_is_named_by_row_key_and_file(made: Made) -> None:
    source = made.source.open(made.path, SourceOptions())
    row, key, place = source.read("image", np.array([2, 1], np.int64)).name(1)
    assert (row, key) == (1, source.table["key"][1].as_py())
    assert place.startswith(str(made.path))


def test_a_row_beyond_the_last_is_refused(made: Made) -> None:
    source = made.source.open(made.path, SourceOptions())
    for row in (len(source), -1):
        with pytest.raises(RowNotFoundError, match=str(row)):
            source.read("image", np.array([row], np.int64))


def test_an_unknown_field_is_refused(made: Made) -> None:
    source = made.source.open(made.path, SourceOptions())
    with pytest.raises(SchemaError, match="depth"):
        source.locate("depth", np.array([0], np.int64))


def test_labels_from_elsewhere_are_for_folders_and_archives_only(made: Made) -> None:
    if "label_from" in made.source.takes:
        labelled = registry.open_source(made.path, SourceOptions(label_from="([0-9]+)"))
        assert len(labelled) == len(made.records) and "label" in labelled.schema.columns.names
        return
    options = SourceOptions(label_from="folder")
    with pytest.raises(InvalidInputError, match=r"does not take label_from 'folder'.*is for image folders"):
        registry.open_source(made.path, options)


def test_opening_and_reading_write_nothing(made: Made) -> None:
    before = everything_below(made.path.parent)
    source = made.source.open(made.path, SourceOptions())
    source.read("image", np.arange(len(source), dtype=np.int64))
    source.close()
    assert everything_below(made.path.parent) == before


def test_no_source_recognises_what_is_not_there_or_not_a_file(made: Made, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "empty.h5").touch()
    (tmp_path / "nothing").mkdir()
    for name in ("absent", "fifo.png", "nothing"):
        assert not made.source.recognises(tmp_path / name)
    if "folder" not in os.environ["PYTEST_CURRENT_TEST"]:
        assert not made.source.recognises(tmp_path / "empty.h5")


def test_files_that_vanished_are_named_together(make: Any, tmp_path: Path) -> None:
    made = make.LAYOUTS["folder"](tmp_path)
    source = made.source.open(made.path, SourceOptions())
    (made.path / "cat" / "1.png").unlink()
    (made.path / "dog" / "2.png").unlink()
    with pytest.raises(MissingRecordError) as caught:
        source.read("image", np.arange(len(source), dtype=np.int64))
    assert [bad.key for bad in caught.value.bad_rows] == ["cat/1.png", "dog/2.png"]


def test_a_file_that_became_shorter_is_named(make: Any, tmp_path: Path) -> None:
    made = make.LAYOUTS["cifar-binary"](tmp_path)
    known = made.source.open(made.path, SourceOptions())
    place = known.locate("image", np.arange(len(known), dtype=np.int64)).place
    kinds = [Format("raw-planar", known.schema.fields[0].shape, "uint8")]
    source = type(known)(known.schema, known.table, known.report, place=place, formats=kinds, origin="cifar")
    os.truncate(made.path / "data_batch_1.bin", 5000)
    with pytest.raises(MissingRecordError, match=r"'00000001' \(row 1\) in .*data_batch_1\.bin"):
        source.read("image", np.arange(len(source), dtype=np.int64))


def test_a_file_whose_state_is_known_is_refused_when_it_became_shorter(make: Any, tmp_path: Path) -> None:
    made = make.LAYOUTS["cifar-binary"](tmp_path)
    source = made.source.open(made.path, SourceOptions())
    os.truncate(made.path / "data_batch_1.bin", 5000)
    with pytest.raises(StoreBusyError, match=r"data_batch_1\.bin: was changed"):
        source.read("image", np.arange(len(source), dtype=np.int64))


def test_a_file_that_became_a_folder_is_named(make: Any, tmp_path: Path) -> None:
    made = make.LAYOUTS["folder"](tmp_path)
    source = made.source.open(made.path, SourceOptions())
    (made.path / "cat" / "1.png").unlink()
    (made.path / "cat" / "1.png").mkdir()
    with pytest.raises(ReadFailedError, match=r"cat/1\.png"):
        source.read("image", np.arange(2, dtype=np.int64))


def test_a_file_that_changed_after_it_was_opened_is_refused(make: Any, tmp_path: Path) -> None:
    images = make.make_images(3)
    make.write_lmdb(tmp_path / "a", images, [1, 2, 3])
    make.write_hdf5(tmp_path / "a.h5", images, [1, 2, 3])
    for source, path in (
        (tutorial_lmdb.SOURCE.open(tmp_path / "a", SourceOptions()), tmp_path / "a" / "data.mdb"),
        (tutorial_hdf5.SOURCE.open(tmp_path / "a.h5", SourceOptions()), tmp_path / "a.h5"),
    ):
        assert source.locate("image", np.array([0])) is not None
        os.utime(path, ns=(1, 1))
        for read in (source.locate, source.read):
            with pytest.raises(StoreBusyError, match="was changed after it was opened"):
                read("image", np.array([0]))
