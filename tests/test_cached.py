"""Named arrays: built once, whatever happens meanwhile, and mapped as they were."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import pixstore
from pixstore.errors import CorruptStoreError, InvalidInputError, NotAStoreError, StoreTruncatedError

DTYPES = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="?"),
    arrays.floating_dtypes(endianness="?"),
    arrays.complex_number_dtypes(),
    arrays.unicode_string_dtypes(max_len=5),
    arrays.byte_string_dtypes(max_len=5),
    arrays.datetime64_dtypes(),
    arrays.array_dtypes(allow_subarrays=True),
)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


def never() -> dict[str, Any]:
    raise AssertionError("was built again")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_arrays_of_any_dtype_and_shape_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    dtype = data.draw(DTYPES)
    array = data.draw(arrays.arrays(dtype, data.draw(SHAPES), fill=st.nothing()))
    if data.draw(st.booleans()):
        array = np.asfortranarray(array)
    path = tmp_path_factory.mktemp("cache") / "a.cache"
    pixstore.cached(path, lambda: {"a": array})
    found = pixstore.cached(path, never)["a"]
    assert found.dtype == array.dtype and found.shape == array.shape
    assert found.tobytes() == array.tobytes()


def test_bfloat16_is_kept(tmp_path: Path) -> None:
    array = np.arange(6, dtype=ml_dtypes.bfloat16).reshape(2, 3)
    pixstore.cached(tmp_path / "a", lambda: {"a": array})
    found = pixstore.cached(tmp_path / "a", never)["a"]
    assert found.dtype == array.dtype and np.array_equal(found, array)


def test_built_once_then_mapped_and_not_writable(tmp_path: Path) -> None:
    first = pixstore.cached(tmp_path / "f.cache", lambda: {"mean": np.arange(3.0), "seen": np.int64(7)})
    again = pixstore.cached(tmp_path / "f.cache", never)
    assert list(again) == ["mean", "seen"] and np.array_equal(first["mean"], again["mean"]) and again["seen"][()] == 7
    assert isinstance(again["mean"], np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        again["mean"][0] = 1
    with pytest.raises(KeyError, match="arrays here: mean, seen"):
        again["median"]


def test_files_are_what_numpy_reads_without_us(tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((5, 4), np.float32)
    pixstore.cached(tmp_path / "a", lambda: {"a": array})
    file = next((tmp_path / "a").glob("a.*.npy"))
    assert np.array_equal(np.load(file, mmap_mode="r"), array)


def test_a_generator_is_written_as_it_comes(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def build() -> Iterator[tuple[str, Any]]:
        for name in "ab":
            yield name, np.full(3, ord(name))
            seen.append(sorted(each.name[0] for each in (tmp_path / "c").glob("*.npy")))

    assert list(pixstore.cached(tmp_path / "c", build)) == ["a", "b"] and seen == [["a"], ["a", "b"]]


def test_rebuild_replaces_and_leaves_former_arrays_to_those_who_have_them(tmp_path: Path) -> None:
    former = pixstore.cached(tmp_path / "c", lambda: {"a": np.zeros(1000)})
    now = pixstore.cached(tmp_path / "c", lambda: {"b": np.ones(2)}, rebuild=True)
    assert list(now) == ["b"] and not former["a"].any()
    assert len(list((tmp_path / "c").glob("*.npy"))) == 1


def test_a_build_that_fails_changes_nothing(tmp_path: Path) -> None:
    pixstore.cached(tmp_path / "c", lambda: {"a": np.zeros(3)})
    before = sorted(each.name for each in (tmp_path / "c").iterdir())

    def build() -> Iterator[tuple[str, Any]]:
        yield "b", np.ones(3)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        pixstore.cached(tmp_path / "c", build, rebuild=True)
    assert sorted(each.name for each in (tmp_path / "c").iterdir()) == before
    assert list(pixstore.cached(tmp_path / "c", never)) == ["a"]


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [("a", np.array([object()]), "Python objects"), ("a/b", np.zeros(1), "array name"), ("", np.zeros(1), "array name")],
    ids=["objects", "path", "empty"],
)
def test_what_cannot_be_kept_is_refused(tmp_path: Path, name: str, array: Any, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        pixstore.cached(tmp_path / "c", lambda: {name: array})
    assert not list((tmp_path / "c").glob("*.npy"))


def test_other_peoples_folders_and_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    for place in (tmp_path / "photos", tmp_path / "photos" / "a.jpg"):
        with pytest.raises(NotAStoreError, match="choose another place"):
            pixstore.cached(place, lambda: {"a": np.zeros(1)})
    assert (tmp_path / "photos" / "a.jpg").read_bytes() == b"x"


def test_damage_is_told_and_never_read(tmp_path: Path) -> None:
    pixstore.cached(tmp_path / "c", lambda: {"a": np.arange(100)})
    file, index = next((tmp_path / "c").glob("*.npy")), tmp_path / "c" / "cache.json"
    whole, said = file.read_bytes(), index.read_text()
    file.write_bytes(whole[:500])
    with pytest.raises(StoreTruncatedError, match="had 928 bytes with 'a', now 500"):
        pixstore.cached(tmp_path / "c", never)
    file.unlink()
    with pytest.raises(CorruptStoreError, match="is gone"):
        pixstore.cached(tmp_path / "c", never)
    damaged = [said.replace(file.name, "../../etc/passwd"), *(said.replace("100", number) for number in ("-1", "Infinity", "NaN"))]
    for wrong in ("{", "[]", *damaged, said.replace('"<i8"', '"|O"'), said.replace("928", "Infinity")):
        index.write_text(wrong)
        with pytest.raises(CorruptStoreError):
            pixstore.cached(tmp_path / "c", never)
    assert json.loads(said)["arrays"]["a"]["shape"] == [100]


def test_pickles_as_its_path(tmp_path: Path) -> None:
    made = pixstore.cached(tmp_path / "c", lambda: {"a": np.arange(1 << 16)})
    sent = pickle.dumps(made)
    assert len(sent) < 1000 and np.array_equal(pickle.loads(sent)["a"], made["a"])


BUILDER = """
import os, sys, time
import numpy as np, pixstore
def build():
    open(sys.argv[2] + "/" + str(os.getpid()), "w").close()
    time.sleep(0.5)
    return {"pid": np.array([os.getpid()])}
print(int(pixstore.cached(sys.argv[1], build)["pid"][0]))
"""


def test_of_several_processes_one_builds(tmp_path: Path) -> None:
    (tmp_path / "built").mkdir()
    command = [sys.executable, "-c", BUILDER, str(tmp_path / "c"), str(tmp_path / "built")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {each.communicate(timeout=60)[0].strip() for each in running}
    assert said == {each.name for each in (tmp_path / "built").iterdir()} and len(said) == 1


def test_a_killed_build_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "built").mkdir()
    program = BUILDER.replace("time.sleep(0.5)", "yield 'a', np.zeros(10); time.sleep(60)").replace('return {"pid"', 'yield "b", {"pid"')
    building = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "c"), str(tmp_path / "built")])
    end = time.monotonic() + 60
    while not list((tmp_path / "c").glob("a.*.npy")) and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(building.pid, signal.SIGKILL)
    building.wait()
    assert list(pixstore.cached(tmp_path / "c", lambda: {"z": np.zeros(1)})) == ["z"]
    assert [each.name[0] for each in (tmp_path / "c").glob("*.npy")] == ["z"]


@pytest.mark.parametrize("built", [None, np.zeros((2, 2)), [np.zeros(2)], ["ab"]])
def test_what_has_no_names_is_refused_in_words(tmp_path: Path, built: Any) -> None:
    with pytest.raises(InvalidInputError, match="arrays by name"):
        pixstore.cached(tmp_path / "c", lambda: built)


def test_arrays_in_the_place_of_a_function_are_refused_and_make_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="build is a dict; hand in a function"):
        pixstore.cached(tmp_path / "c", {"a": np.zeros(2)})  # type: ignore[arg-type]
    assert not (tmp_path / "c").exists()
