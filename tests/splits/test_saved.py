"""Saved splits: the same parts are read again, by key; damage and other people's files are refused with the reason."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from pixstore.errors import CorruptStoreError, DestinationExistsError, InvalidInputError, PathNotFoundError, StoreBusyError
from pixstore.lock import WriterLock
from pixstore.manifest import JobState, commit, load
from pixstore.splits.parts import Assignment, assign
from pixstore.splits.plan import Plan
from pixstore.splits.saved import SavedSplit, facts_of, find_saved, names_in_store, save
from pixstore.writer import Writer

TABLE = pa.table({"key": ["plain", "with,comma", 'with "quotes"', "two\nlines", "ünïcode", "NA", "00012"]})
PLAN = Plan.of_parts({"train": 0.7, "val": 0.15, "test": 0.15}, stratify=None, group=None, seed=5)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(np.zeros((7, 2, 2), np.uint8), key=TABLE["key"].to_pylist())
    return tmp_path / "s"


def keep(name: str | Path, store: Path | None, plan: Plan = PLAN, *, anew: bool = False) -> Assignment:
    assignment = assign(TABLE, plan)
    save(name, store, TABLE["key"], assignment, facts_of(plan, 1), replace=anew)
    return assignment


def test_a_store_that_a_conversion_has_not_finished_takes_no_split(store: Path) -> None:
    made = load(store)
    commit(store, replace(made, job=JobState({}, rows=9, ranges=((0, 7, len(made.shards)),), samples=7)))
    before = load(store)
    with pytest.raises(InvalidInputError, match=r"not finished; run that `pixstore convert` again, then save the split"):
        keep("halves", store)
    assert load(store) == before and not (store / "splits").exists()
    commit(store, made)
    keep("halves", store)


@pytest.mark.parametrize("suffix", [".arrow", ".csv"])
def test_a_file_gives_the_parts_back_in_their_order(suffix: str, tmp_path: Path) -> None:
    kept = keep(tmp_path / f"split{suffix}", None)
    read = SavedSplit(tmp_path / f"split{suffix}").read()
    found = read.assign(TABLE["key"], "split")
    assert sorted(read.names) == ["test", "train", "val"]
    assert [found.names[part] for part in found.part] == [kept.names[part] for part in kept.part]
    assert found.notes == ()


def test_what_it_was_made_with_stands_in_the_arrow_file(tmp_path: Path) -> None:
    keep(tmp_path / "split.arrow", None)
    read = SavedSplit(tmp_path / "split.arrow").read()
    assert read.names == ("train", "val", "test")
    assert (read.facts["seed"], read.facts["version"], read.facts["sizes"]["val"]) == (5, 1, 0.15)


def test_anybody_can_read_the_files(store: Path, tmp_path: Path) -> None:
    kept = keep("default", store)
    keep(tmp_path / "split.csv", None)
    named = [kept.names[part] for part in kept.part]
    with pa.ipc.open_file(str(store / "splits" / load(store).splits["default"])) as file:
        assert file.read_all().to_pydict() == {"key": TABLE["key"].to_pylist(), "part": named}
    options = pa_csv.ParseOptions(newlines_in_values=True)
    text = pa_csv.ConvertOptions(column_types={"key": pa.string()}, strings_can_be_null=False)
    assert pa_csv.read_csv(tmp_path / "split.csv", None, options, text).to_pydict() == {"key": TABLE["key"].to_pylist(), "part": named}


def test_folds_of_a_csv_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "folds.csv").write_text("key,part\n" + "".join(f"k{row},fold-{11 - row}\n" for row in range(12)))
    assert SavedSplit(tmp_path / "folds.csv").read().names == tuple(f"fold-{number}" for number in range(12))


def test_keys_that_came_later_are_in_no_part_and_counted(store: Path) -> None:
    keep("default", store)
    later = pa.chunked_array([["later"], TABLE["key"].to_pylist()[::-1]])
    found = find_saved("default", store, load(store)).read().assign(later, "default")
    assert found.part[0] == -1 and (found.part[1:] >= 0).all()
    assert found.notes == ("1 of 8 samples are in no part of the split 'default', which was made without them",)


def test_saving_makes_a_version_and_saving_the_same_again_none(store: Path) -> None:
    keep("default", store)
    assert load(store).version == 2
    keep("default", store)
    assert load(store).version == 2
    with Writer(store, mode="a", durability="process") as writer:
        writer.add(np.zeros((2, 2), np.uint8))
    assert list(load(store).splits) == ["default"]


def test_another_split_takes_a_name_only_where_it_may(store: Path, tmp_path: Path) -> None:
    other = Plan.of_parts({"train": 3, "test": 4}, stratify=None, group=None, seed=0)
    for name in ("default", tmp_path / "split.csv"):
        keep(name, store)
        with pytest.raises(DestinationExistsError, match="another"):
            keep(name, store, other)
        keep(name, store, other, anew=True)
        assert set(find_saved(name, store, load(store)).read().names) == {"train", "test"}


def test_an_older_version_has_its_own_split_of_that_name(store: Path) -> None:
    keep("default", store)
    before = load(store)
    keep("default", store, Plan.of_folds(2, stratify=None, group=None, seed=0), anew=True)
    assert find_saved("default", store, before).read().names == ("train", "val", "test")
    assert find_saved("default", store, load(store)).read().names == ("fold-0", "fold-1")


def test_a_split_made_later_is_found_from_an_older_version(store: Path) -> None:
    before = load(store)
    keep("default", store)
    assert list(names_in_store(store, before)) == ["default"]
    assert find_saved("default", store, before).read().names == ("train", "val", "test")


def test_while_somebody_writes_nothing_is_saved(store: Path) -> None:
    lock = WriterLock(store)
    with pytest.raises(StoreBusyError):
        keep("default", store)
    lock.release()
    assert load(store).splits == {}


def test_a_changed_byte_is_noticed_before_arrow_sees_it(store: Path) -> None:
    keep("default", store)
    saved = find_saved("default", store, load(store))
    for place in range(0, saved.path.stat().st_size, 97):
        data = bytearray(saved.path.read_bytes())
        data[place] ^= 1
        saved.path.write_bytes(data)
        with pytest.raises(CorruptStoreError, match="digest does not match"):
            saved.read()
        data[place] ^= 1
        saved.path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "key,role\na,train\n", "no column 'part'"),
        ("a.csv", "key,part\na,train\na,test\n", "key 'a' stands twice"),
        ("a.csv", "key,part\na,../up\n", "cannot name a part"),
        ("a.csv", "key,part\na\n", "not a split"),
        ("a.csv", "", "not a split"),
        ("a.arrow", "no arrow", "not a split"),
        ("a.arrow", "ARROW1\0\0" + "x" * 100 + "ARROW1", "not a split"),
    ],
)
def test_files_that_are_no_split_are_refused(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInputError, match=said):
        SavedSplit(tmp_path / name).read()


def test_a_cut_file_is_refused_wherever_it_was_cut(tmp_path: Path) -> None:
    keep(tmp_path / "whole.arrow", None)
    data = (tmp_path / "whole.arrow").read_bytes()
    for length in range(0, len(data), 61):
        (tmp_path / "cut.arrow").write_bytes(data[:length])
        with pytest.raises(InvalidInputError, match="not a split"):
            SavedSplit(tmp_path / "cut.arrow").read()


def test_what_is_not_there_is_said(store: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no split 'default'; none is saved"):
        find_saved("default", store, load(store))
    keep("cv", store)
    with pytest.raises(InvalidInputError, match="no split 'default'; splits here: cv"):
        find_saved("default", store, load(store))
    with pytest.raises(PathNotFoundError, match=r"nowhere\.csv"):
        find_saved(tmp_path / "nowhere.csv", None, None).read()
    with pytest.raises(InvalidInputError, match=r"default\.arrow"):
        find_saved("default", None, None)
    with pytest.raises(InvalidInputError, match=r"default\.arrow"):
        keep("default", None)
    with pytest.raises(InvalidInputError, match="neither sizes nor the name"):
        find_saved(None, store, load(store))


def test_a_manifest_that_names_another_file_is_refused(store: Path) -> None:
    with pytest.raises(CorruptStoreError, match="no file of a split"):
        find_saved("default", store, replace(load(store), splits={"default": "shards.arrow"}))


def test_bytes_changed_at_random_are_refused_or_read_but_never_worse(tmp_path: Path) -> None:
    keep(tmp_path / "whole.arrow", None)
    data, random = (tmp_path / "whole.arrow").read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        changed = bytearray(data)
        changed[random.integers(len(data))] = random.integers(256)
        (tmp_path / "changed.arrow").write_bytes(changed)
        with contextlib.suppress(InvalidInputError):
            SavedSplit(tmp_path / "changed.arrow").read().assign(TABLE["key"], "changed")


@pytest.mark.parametrize("name", ["a/b", "", "..", "a b"])
def test_names_that_are_no_file_names_are_refused(name: str, store: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot name a split"):
        keep(name, store)
    assert load(store).version == 1


def test_a_file_of_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"\.arrow or \.csv"):
        keep(tmp_path / "split.json", None)
