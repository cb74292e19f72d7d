"""Which core is chosen, and its hashes of keys and records."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest
import xxhash

from pixstore import core as module
from pixstore import reference
from pixstore.core import CoreDebugWarning, CoreMissingWarning, checksums, core, core_info, core_name, hash_keys, seeds
from pixstore.errors import DependencyError, InvalidInputError
from pixstore.rows import Slices


@pytest.fixture
def choosing(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let the core be chosen anew, in this test alone."""
    monkeypatch.delenv("PIXSTORE_CORE", raising=False)
    core.cache_clear()
    yield monkeypatch
    core.cache_clear()


def native_built_as(profile: str) -> ModuleType:
    native = ModuleType("pixstore_native")
    native.info = lambda: {"profile": profile}  # type: ignore[attr-defined]
    return native


def test_without_the_native_core_one_warning_says_what_is_lost_and_how_to_get_it(choosing: pytest.MonkeyPatch) -> None:
    choosing.setitem(sys.modules, "pixstore_native", None)
    with pytest.warns(CoreMissingWarning, match=r"slower; run 'make setup'") as caught:
        assert core() is reference
        assert core_name() == "reference"
    assert len(caught) == 1
    assert issubclass(CoreMissingWarning, UserWarning)


def test_the_reference_is_used_without_a_warning_where_it_is_asked_for(choosing: pytest.MonkeyPatch) -> None:
    choosing.setenv("PIXSTORE_CORE", "reference")
    assert core_name() == "reference"
    assert core_info() == reference.info()


def test_native_demanded_but_missing_is_an_error(choosing: pytest.MonkeyPatch) -> None:
    choosing.setitem(sys.modules, "pixstore_native", None)
    choosing.setenv("PIXSTORE_CORE", "native")
    with pytest.raises(DependencyError, match=r"PIXSTORE_CORE=native.*'make wheel'"):
        core()


def test_an_unknown_core_is_refused(choosing: pytest.MonkeyPatch) -> None:
    choosing.setenv("PIXSTORE_CORE", "fast")
    with pytest.raises(InvalidInputError, match="'fast'"):
        core()


def test_a_native_core_is_used_and_its_debug_build_warns(choosing: pytest.MonkeyPatch) -> None:
    choosing.setitem(sys.modules, "pixstore_native", native_built_as("release"))
    assert core_name() == "native"
    core.cache_clear()
    choosing.setitem(sys.modules, "pixstore_native", native_built_as("debug"))
    with pytest.warns(CoreDebugWarning, match="debug build"):
        assert core_name() == "native"


KEYS = ["cat-001", "", "Grüße/ü.png", "x" * 700]
ARRAYS = [
    pa.array(KEYS),
    pa.array(KEYS, pa.large_string()),
    pa.array(["skipped", *KEYS, "skipped"]).slice(1, 4),
    pa.array(["skipped", *KEYS], pa.large_string()).slice(1),
    pa.chunked_array([pa.array(KEYS[:1]), pa.array(KEYS[1:])]),
    pa.array(KEYS, pa.string_view()),
    pa.array(KEYS).dictionary_encode(),
]


@pytest.mark.parametrize("keys", ARRAYS, ids=lambda keys: str(keys.type))
def test_keys_hash_by_their_utf8_bytes_however_arrow_keeps_them(keys: pa.Array) -> None:
    assert hash_keys(keys).tolist() == [xxhash.xxh3_64_intdigest(key.encode()) for key in KEYS]
    assert seeds("mask", keys).tolist() == [xxhash.xxh3_64_intdigest(b"mask\0" + key.encode()) for key in KEYS]


def test_no_keys_have_no_hashes_and_a_null_key_is_refused() -> None:
    assert hash_keys(pa.array([], pa.string())).tolist() == []
    assert hash_keys(pa.array([""])).tolist() == [xxhash.xxh3_64_intdigest(b"")]
    with pytest.raises(InvalidInputError, match="1 of 2 keys are null"):
        hash_keys(pa.array(["a", None]))


def test_checksums_are_seeded_and_zero_where_a_record_is_missing() -> None:
    slices = Slices(b"abcdef", np.array([0, 0, 2], np.int64), np.array([3, -1, 4], np.int64))
    found = checksums(slices, np.array([1, 2, 3], np.uint64))
    assert found.tolist() == [xxhash.xxh3_64_intdigest(b"abc", 1), 0, xxhash.xxh3_64_intdigest(b"cdef", 3)]


def test_checksums_refuse_slices_outside_their_buffer() -> None:
    with pytest.raises(InvalidInputError, match="outside their buffer"):
        checksums(Slices(b"abc", np.zeros(1, np.int64), np.array([4], np.int64)), np.zeros(1, np.uint64))


def test_hashes_of_bytes_and_tiles() -> None:
    assert module.hash_bytes(b"abc", 7) == xxhash.xxh3_64_intdigest(b"abc", 7)
    assert module.hash_tiles(b"abcde", 2).tolist() == [xxhash.xxh3_64_intdigest(part) for part in (b"ab", b"cd", b"e")]
    array = np.arange(4, dtype=np.uint8)
    assert module.addresses([array]).tolist() == [array.ctypes.data]
    assert module.usable_cpus() >= 1
