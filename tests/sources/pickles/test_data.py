"""Pickles read as data: everything plain comes back, nothing hostile runs, nothing is allocated that the input does not pay for."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.errors import CorruptStoreError, LimitExceededError, PixstoreError, StoreTruncatedError, UnsafeInputError
from pixstore.sources.pickles.data import Budget, offset_of, read_pickle
from pixstore.sources.pickles.patterns import DataObject, PickledArray

PROTOCOLS = range(6)

numbers = st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
scalars = st.none() | numbers | st.text(max_size=80) | st.binary(max_size=300)
keys = st.text(max_size=5) | st.integers(-5, 5) | st.binary(max_size=5) | st.none()
data = st.recursive(
    scalars | st.sets(keys) | st.frozensets(keys),
    lambda inner: st.lists(inner, max_size=6) | st.tuples(inner, inner) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


class Plain:
    """An object with attributes; `__reduce__` is the default."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Runs:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def read(content: bytes, **options: Any) -> Any:
    return read_pickle(content, origin="a.pkl", **options)


@given(data, st.sampled_from(PROTOCOLS))
def test_plain_data_comes_back_in_every_protocol(value: Any, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


@given(
    st.sampled_from(["u1", "i1", "<u2", ">i2", "<i4", ">u4", "<i8", ">u8", "<f4", ">f8", "?"]),
    st.lists(st.integers(0, 4), max_size=4),
    st.sampled_from("CF"),
    st.sampled_from(PROTOCOLS),
)
def test_arrays_come_back_in_every_protocol(dtype: str, shape: list[int], order: Any, protocol: int) -> None:
    made = np.asarray(np.random.default_rng(1).integers(0, 100, shape).astype(dtype), order=order)
    content = pickle.dumps({"array": made, "after": 1}, protocol)
    found = read(content)["array"]
    assert isinstance(found, PickledArray)
    np.testing.assert_array_equal(found.array, made)
    assert found.array.dtype == made.dtype and found.array.shape == made.shape
    if found.offset is not None:
        assert content[found.offset : found.offset + made.nbytes] == made.tobytes()


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_the_bytes_of_an_array_are_a_view_of_the_input(protocol: int) -> None:
    made = np.arange(6000, dtype=np.uint8).reshape(2, 3000)
    found = read(pickle.dumps(made, protocol))
    assert offset_of(found) is not None
    assert not found.array.flags.owndata and not found.array.flags.writeable


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numbers_of_numpy_come_back_as_numbers(protocol: int) -> None:
    assert read(pickle.dumps([np.int64(-3), np.uint8(7), np.float32(0.5), np.bool_(True)], protocol)) == [-3, 7, 0.5, True]


def test_the_older_name_of_numpys_module_is_known() -> None:
    content = pickle.dumps(np.arange(5), 2)
    older = content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    assert older != content
    np.testing.assert_array_equal(read(older).array, np.arange(5))


def test_strings_of_python_2_come_back_as_bytes() -> None:
    assert read(b"(dp0\nS'data'\np1\nS'a\\x00\\'b\\n'\np2\ns.") == {b"data": b"a\0'b\n"}
    assert read(b"\x80\x02}q\x01U\x04dataT\x03\0\0\0abcs.") == {b"data": b"abc"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_object_is_refused_unless_asked_for(protocol: int) -> None:
    content = pickle.dumps(Plain(image=b"x", label=3), protocol)
    with pytest.raises(UnsafeInputError, match=r"Plain|_reconstructor"):
        read(content)
    found = read(content, objects=True)
    assert isinstance(found, DataObject)
    assert found.class_name.endswith(".Plain")
    assert found.state == {"image": b"x", "label": 3}


def test_the_class_of_an_object_need_not_exist() -> None:
    content = pickle.dumps(Plain(label=3), 4).replace(b"Plain", b"Nlaip")
    found = read(content, objects=True)
    assert isinstance(found, DataObject) and found.class_name.endswith("Nlaip")


hostile = {
    "os.system": pickle.dumps(Runs(os.system, "true")),
    "eval": pickle.dumps(Runs(eval, "1")),
    "getattr": pickle.dumps(Runs(getattr, "x", "upper")),
    "ndarray": pickle.dumps(Runs(np.ndarray, (1 << 29,), "u1")),
    "object array": pickle.dumps(np.array([{}, []], dtype=object)),
    "text array": pickle.dumps(np.array(["a"])),
    "dates": pickle.dumps(np.array(["2020-01-01"], dtype="M8[D]")),
    "structured array": pickle.dumps(np.zeros(2, dtype=[("a", "u1")])),
    "INST": b"(S'true'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'true'\no.",
    "class among data": b"(lcos\nsystem\na.",
    "dtype among data": pickle.dumps([np.dtype("u1")]),
    "persistent id": b"Pabc\n.",
    "EXT1": b"\x80\x02\x82\x01.",
    "outside buffer": b"\x80\x05\x97.",
    "protocol 6": b"\x80\x06N.",
    "call of text": b"\x80\x02X\x01\0\0\0a)R.",
    "list that holds itself": b"]q\x00h\x00a.",
    "unhashable key": b"}(]K\x01u.",
    "deep key": b"}(" + b")" + b"\x85" * 100_000 + b"K\x01u.",
}


@pytest.mark.parametrize("name", hostile)
@pytest.mark.parametrize("objects", [False, True])
def test_a_hostile_pickle_is_refused(name: str, objects: bool) -> None:
    with pytest.raises(UnsafeInputError, match=r"a\.pkl"):
        read(hostile[name], objects=objects)


def test_a_refusal_names_the_call_and_its_place() -> None:
    with pytest.raises(UnsafeInputError, match=r"calls (posix|nt)\.system \(byte \d+\); it was refused, nothing was run"):
        read(hostile["os.system"])


beyond = {
    "integer of 5 MB": b"\x80\x02\x8b" + struct.pack("<I", 5_000_000) + bytes(5_000_000) + b".",
    "integer of 5,000 digits": b"L" + b"9" * 5000 + b"L\n.",
    "integer of 65 bits": b"\x80\x02\x8a\x09" + bytes(8) + b"\x7f.",
    "50,000 levels": b"]" * 50_000 + b"a" * 49_999 + b".",
    "200,000 tuples": b")" + b"\x85" * 200_000 + b".",
    "doubling": b"\x80\x02(]q\x00" + b"".join(b"](h%ch%ceq%c" % (n, n, n + 1) for n in range(60)) + b"t.",
}


@pytest.mark.parametrize("name", beyond)
def test_a_pickle_beyond_the_budget_is_refused(name: str) -> None:
    with pytest.raises(LimitExceededError, match=r"a\.pkl"):
        read(beyond[name])


@pytest.mark.parametrize(
    ("budget", "content"),
    [
        (Budget(input_bytes=10), pickle.dumps("longer than ten bytes")),
        (Budget(opcodes=100), pickle.dumps(list(range(200)))),
        (Budget(memo=3), pickle.dumps([str(n) for n in range(9)])),
        (Budget(memory_bytes=1000), pickle.dumps([[] for _ in range(50)])),
        (Budget(nodes=10), pickle.dumps(list(range(20)))),
    ],
    ids=["input", "opcodes", "memo", "memory", "nodes"],
)
def test_each_budget_holds(budget: Budget, content: bytes) -> None:
    with pytest.raises(LimitExceededError):
        read(content, budget=budget)


def test_bytes_made_again_and_again_are_charged() -> None:
    text = b"X" + struct.pack("<I", 10_000) + b"a" * 10_000
    calls = b"".join(b"c_codecs\nencode\nh\x00X\x06\0\0\0latin1\x86R" for _ in range(500))
    with pytest.raises(LimitExceededError):
        read(b"\x80\x02(" + text + b"q\x00" + calls + b"l.", budget=Budget(memory_bytes=1 << 20))


def test_sets_made_again_and_again_are_charged() -> None:
    items = b"](" + b"".join(b"M" + struct.pack("<H", n) for n in range(1000)) + b"eq\x00"
    with pytest.raises(LimitExceededError):
        read(b"\x80\x02(" + items + b"c__builtin__\nset\nh\x00\x85R" * 100 + b"l.", budget=Budget(memory_bytes=1 << 20))


declared = {
    "BINBYTES8 of 4 GB": b"\x80\x04\x8e" + struct.pack("<Q", 4 << 30) + b"abc",
    "BINBYTES8 of 2^64 - 1": b"\x80\x04\x8e" + b"\xff" * 8,
    "BINUNICODE of 2 GB": b"\x80\x02X" + struct.pack("<I", 2 << 30) + b"abc",
    "no end": b"\x80\x02N",
    "no line feed": b"cos",
    "nothing": b"",
}


@pytest.mark.parametrize("name", declared)
def test_a_length_beyond_the_input_is_a_truncated_pickle(name: str) -> None:
    with pytest.raises(StoreTruncatedError, match=r"a\.pkl"):
        read(declared[name])


damaged = [b"\x80\x02a.", b"\x80\x02h\x01.", b"0.", b"t.", b"\xff.", b"K\x01K\x02.", b"}(K\x01u.", b"Fx\n.", b"Vabc\\u12\n.", b"S'\\q'\n."]


@pytest.mark.parametrize("content", damaged)
def test_a_damaged_pickle_is_named(content: bytes) -> None:
    with pytest.raises(CorruptStoreError, match=r"a\.pkl"):
        read(content)


samples = [
    pickle.dumps(value, protocol)
    for protocol in PROTOCOLS
    for value in (
        {"data": np.arange(60, dtype=np.uint8).reshape(2, 30), "labels": [1, 2], "names": ["a", b"b"]},
        Plain(image=bytes(40), size=(2, 5), channels=4, label=np.int64(3)),
        [{1, 2}, frozenset({3}), 1 << 40, -1.5, None, True, ("x" * 300, b"y" * 300)],
    )
]


faults_in_bytes = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6)


@settings(max_examples=400)
@given(st.sampled_from(samples), faults_in_bytes, st.integers(0, 400))
def test_a_mutated_pickle_is_data_or_one_of_our_errors_and_stays_small(sample: bytes, faults: list[tuple[int, int]], cut: int) -> None:
    content = bytearray(sample)
    for place, byte in faults:
        content[place % len(content)] = byte
    if cut % 3 == 0:
        del content[cut % len(content) :]
    tracemalloc.start()
    try:
        read(bytes(content), objects=True)
    except PixstoreError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 64 << 20


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_random_bytes_are_data_or_one_of_our_errors(content: bytes) -> None:
    try:
        read(content, objects=True)
    except PixstoreError as error:
        assert "a.pkl" in str(error)


@settings(max_examples=300)
@given(st.lists(st.sampled_from([bytes([ord(each.code)]) for each in pickletools.opcodes] + [b"\x01", b"\0\0\0\0", b"\n"]), max_size=60))
def test_random_instructions_are_data_or_one_of_our_errors(parts: list[bytes]) -> None:
    try:
        read(b"".join(parts) + b".", objects=True)
    except PixstoreError as error:
        assert "a.pkl" in str(error)


def test_what_python_itself_can_load_is_read_alike_after_mutation() -> None:
    """Where a mutated pickle of plain data is accepted, the result is what Python's own reader says."""
    rng = np.random.default_rng(3)
    sample = pickle.dumps([{"a": (1, 2.5, "text"), "b": [b"bytes", None, True]}, 4 << 40], 3)
    agreed = 0
    for _ in range(3000):
        content = bytearray(sample)
        content[int(rng.integers(0, len(content)))] = int(rng.integers(0, 256))
        try:
            found = read(bytes(content))
        except PixstoreError:
            continue
        assert repr(found) == repr(_Strict(bytes(content)).load())
        agreed += 1
    assert agreed > 100


class _Strict(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))

    def find_class(self, module: str, name: str) -> Any:
        raise AssertionError(f"the reader accepted a pickle that names {module}.{name}")


AUDITED = f"""
import sys
seen = []
sys.path[:0] = {sys.path!r}
from pixstore.errors import PixstoreError
from pixstore.sources.pickles.data import read_pickle
import encodings.latin_1, encodings.raw_unicode_escape, encodings.utf_8
WATCHED = ("pickle.", "import", "exec", "compile", "os.", "subprocess.", "socket.", "ctypes.", "open", "marshal.")
sys.addaudithook(lambda event, arguments: seen.append((event, str(arguments)[:200])) if event.startswith(WATCHED) else None)
paths = sys.stdin.read().split("\\0")
contents = []
for path in paths:
    with open(path, "rb") as file:
        contents.append(file.read())
seen.clear()
for content in contents:
    for objects in (False, True):
        try:
            read_pickle(content, origin="x", objects=objects)
        except PixstoreError:
            continue
found = list(seen)
print(len(contents), found)
"""


def test_nothing_is_imported_called_or_opened(tmp_path: Path) -> None:
    contents = [*hostile.values(), *beyond.values(), *declared.values(), *samples]
    paths = []
    for number, content in enumerate(contents):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", AUDITED], input="\0".join(map(str, paths)), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == f"{len(contents)} []\n", done.stderr


def test_the_hostile_pickles_of_others_are_refused(shared_data: Path) -> None:
    found = sorted((shared_data / "malicious" / "pickles").iterdir())
    assert found
    for path in found:
        with pytest.raises(UnsafeInputError, match="nothing was run"):
            read_pickle(path.read_bytes(), origin=path.name)


def test_a_batch_cut_in_the_middle_says_what_it_needs(shared_data: Path) -> None:
    content = (shared_data / "truncated" / "data_batch_1").read_bytes()
    with pytest.raises(StoreTruncatedError, match=r"needs 30740218 bytes .* the input has 3145728"):
        read(content)
