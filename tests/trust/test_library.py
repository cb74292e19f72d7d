"""Records through lmdb and h5py in a process of its own: what the library does not give, or does not survive, is a finding."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.trust.conftest import pixel_file

import pixstore
from pixstore import manifest
from pixstore.trust.library import TRIED_ROWS, Trial, read_by_library, trials_of, try_library
from pixstore.trust.structure import open_table

Flip = Callable[[Path, int], None]


def write(path: Path, engine: str, count: int = 40) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (count, 40, 41, 3), np.uint8)
    with pixstore.Writer(path, engine=engine, durability="process") as writer:
        writer.add_batch(images)
    return path


def trials(store: Path, *, digested: bool = True) -> list[Trial]:
    made = manifest.load(store)
    entry = made.shards[0]
    assert entry.pixels is not None
    if not digested:
        entry = replace(entry, pixels=replace(entry.pixels, digests=None))
    return list(trials_of(entry, open_table(store, entry, made.schema), np.arange(entry.rows)))


@pytest.mark.parametrize("engine", ["lmdb", "hdf5"])
def test_a_few_records_are_tried_of_a_proven_file_all_of_others(tmp_path: Path, engine: str) -> None:
    store = write(tmp_path / "s", engine)
    few, every = trials(store), trials(store, digested=False)
    assert [len(each.rows) for each in few] == [TRIED_ROWS] and [len(each.rows) for each in every] == [40]
    outcomes = list(try_library(store, [*few, *every]))
    assert [each.finding for each in outcomes] == [None, None] and not any(len(each.damaged) for each in outcomes)


@pytest.mark.parametrize("engine", ["packed", "files"])
def test_engines_without_a_library_have_nothing_to_try(tmp_path: Path, engine: str) -> None:
    assert trials(write(tmp_path / "s", engine)) == []


@pytest.mark.parametrize("engine", ["lmdb", "hdf5"])
def test_a_file_that_its_library_refuses_is_a_finding(tmp_path: Path, engine: str) -> None:
    store = write(tmp_path / "s", engine)
    path = pixel_file(store)
    path.write_bytes(bytes(8192) + path.read_bytes()[8192:])
    outcome = next(iter(try_library(store, trials(store))))
    assert outcome.finding is not None and outcome.finding.kind == "library" and len(outcome.damaged) == TRIED_ROWS
    assert "refuses it" in outcome.finding.reason


@pytest.mark.parametrize("engine", ["lmdb", "hdf5"])
def test_a_wrong_byte_in_a_record_is_a_finding(tmp_path: Path, engine: str, flip: Flip) -> None:
    store = write(tmp_path / "s", engine)
    all_rows = trials(store, digested=False)[0]
    place = open_table(store, all_rows.entry, all_rows.schema).records("image")
    assert place is not None
    flip(pixel_file(store), int(place.offset[7]) + 3)
    outcome = next(iter(try_library(store, [all_rows])))
    assert outcome.damaged.tolist() == [7] and outcome.finding is not None and "1 of 40 records" in outcome.finding.reason


def test_a_process_that_dies_of_one_shard_leaves_the_others_tried(tmp_path: Path) -> None:
    sound, deadly = trials(write(tmp_path / "a", "lmdb"))[0], trials(write(tmp_path / "b", "lmdb"))[0]
    path = pixel_file(tmp_path / "b")
    data = bytearray(path.read_bytes())
    node = data.index(b"00000000") - 8
    assert struct.unpack_from("<HHHH", data, node) == (40 * 41 * 3, 0, 1, 8), (
        "length, flag of a value on pages of its own, length of its key"
    )
    # LMDB believes a length that leads far beyond the file; the map is larger than the file, so reading there is SIGBUS.
    struct.pack_into("<HH", data, node, *divmod(600 << 20, 1 << 16)[::-1])
    (tmp_path / "a/shards" / path.name).write_bytes(data)
    found = {each.trial.entry.id: each.finding for each in try_library(tmp_path / "a", [sound, deadly])}
    assert found[sound.entry.id] is None
    finding = found[deadly.entry.id]
    assert finding is not None and finding.rows == TRIED_ROWS and "does not survive it" in finding.reason and "SIGBUS" in finding.reason


def test_the_limits_are_those_of_the_file_that_is_there(tmp_path: Path) -> None:
    trial = trials(write(tmp_path / "s", "lmdb"), digested=False)[0]
    assert trial.entry.pixels is not None
    claimed = replace(trial, entry=replace(trial.entry, pixels=replace(trial.entry.pixels, bytes=(1 << 63) - 1)))
    assert [each.finding for each in try_library(tmp_path / "s", [claimed])] == [None]


def test_nothing_to_try_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    assert list(try_library(Path("/"), [])) == []


def test_what_the_child_answers_is_checksums_and_reasons(tmp_path: Path) -> None:
    store = write(tmp_path / "s", "hdf5")
    trial = trials(store)[0]
    schema = trial.schema.to_json()
    asked = {"engine": "hdf5", "file": trial.file, "schema": schema, "field": "image", "rows": [0, 999], "seeds": [int(trial.seeds[0]), 0]}
    answer = read_by_library(str(store), [asked, {**asked, "engine": "unheard of"}])
    assert np.frombuffer(answer.buffers[0], np.uint64).tolist() == [int(trial.checksums[0]), 0]
    assert [index for index, _ in answer.value[0]["reasons"]] == [1] and len(answer.value[1]["reasons"]) == 2


def test_verify_asks_the_library_where_digests_do_not_prove_the_file(tmp_path: Path, flip: Flip) -> None:
    store = write(tmp_path / "s", "lmdb")
    assert pixstore.verify(store, library=True).ok
    flip(pixel_file(store), 100)
    kinds = {each.kind for each in pixstore.verify(store).findings}
    assert "pixels" in kinds
    assert "library" not in {each.kind for each in pixstore.verify(store, library=False).findings}


def test_an_engine_without_extents_is_proven_by_its_library(tmp_path: Path) -> None:
    store = write(tmp_path / "s", "sqlite")
    report = pixstore.verify(store, library=False)
    assert report.ok and report.samples == 40, report.findings
    path = pixel_file(store)
    data = path.read_bytes()
    record = pixstore.open(store).encoded(9)[:50]
    path.write_bytes(data.replace(record, record[::-1]))
    found = pixstore.verify(store)
    assert found.damaged == 1 and {each.kind for each in found.findings} == {"library", "pixels"}
