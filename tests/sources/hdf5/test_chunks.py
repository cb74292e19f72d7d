"""Chunked data read without HDF5 is what HDF5 reads; damage is an error and never other pixels' bytes."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError, MissingRecordError, PixstoreError, StoreTruncatedError
from pixstore.sources.hdf5.chunks import Chunks, chunks_of, fletcher32, unpack_lzf, unshuffled
from pixstore.sources.hdf5.examination import examine
from pixstore.sources.hdf5.nodes import Node

DTYPES = ["u1", "<u2", ">u2", "<f4", ">f8", "?"]
FILTERS: list[dict[str, Any]] = [
    {}, {"compression": "gzip"}, {"compression": "lzf"}, {"fletcher32": True}, {"shuffle": True, "compression": "gzip", "fletcher32": True},
    {"shuffle": True, "compression": "lzf", "fletcher32": True},
]  # fmt: skip


def written(path: Path, images: NDArray[np.uint8], **storage: Any) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, **storage)
    return path


def chunks_in(path: Path, *, is_stack: bool = True) -> Chunks:
    answer = examine(str(path), [str(path)])
    node = Node.from_json(answer.value[0][1])
    assert node.table is not None
    return chunks_of(path, node, bytes(answer.buffers[node.table]), is_stack=is_stack)


def some_images(shape: tuple[int, ...], dtype: str = "u1") -> NDArray[Any]:
    """Return images that are partly noise and partly flat, so that some chunks shrink and some do not."""
    images = np.random.default_rng(1).integers(0, 256, shape).astype(dtype)
    images[::2] = 3
    return images


@settings(max_examples=80)
@given(
    st.tuples(*[st.integers(1, 12)] * 3), st.tuples(*[st.integers(1, 12)] * 3), st.sampled_from(FILTERS), st.sampled_from(DTYPES), st.data()
)
def test_any_chunks_and_filters_give_what_hdf5_reads(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, ...],
    chunk: tuple[int, ...],
    storage: dict[str, Any],
    dtype: str,
    data: st.DataObject,
) -> None:
    images = some_images(shape, dtype)
    chunk = tuple(min(pair) for pair in zip(shape, chunk, strict=True))
    path = written(tmp_path_factory.getbasetemp() / "any.h5", images, chunks=chunk, **storage)
    rows = np.array(data.draw(st.lists(st.integers(0, shape[0] - 1), max_size=8)), np.int64)
    found = chunks_in(path)
    np.testing.assert_array_equal(found.read(rows), images[rows])
    assert found.read(rows).dtype == images.dtype.newbyteorder("<")
    offsets = found.offsets_of_images()
    assert (offsets is None) == (bool(storage) or chunk[1:] != shape[1:] or dtype.startswith(">"))
    if offsets is not None:
        content, size = path.read_bytes(), shape[1] * shape[2] * images.itemsize
        assert [content[start : start + size] for start in offsets.tolist()] == [image.tobytes() for image in images]


@pytest.mark.parametrize("storage", FILTERS)
def test_one_image_is_a_stack_of_one(tmp_path: Path, storage: dict[str, Any]) -> None:
    image = some_images((20, 30, 3))
    path = written(tmp_path / "a.h5", image, chunks=(7, 30, 2), **storage)
    np.testing.assert_array_equal(chunks_in(path, is_stack=False).read(np.array([0])), image[None])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 719, 720, 721, 5000])
@pytest.mark.parametrize("kind", ["noise", "zeros", "ones"])
def test_checksums_are_those_of_hdf5(tmp_path: Path, size: int, kind: str) -> None:
    data = {"noise": np.random.default_rng(size).bytes(size), "zeros": bytes(size), "ones": b"\xff" * size}[kind]
    if not size:
        assert fletcher32(b"") == 0
        return
    path = written(tmp_path / "a.h5", np.frombuffer(data, np.uint8), chunks=(size,), fletcher32=True)
    with h5py.File(path) as file:
        assert file["images"].id.read_direct_chunk((0,))[1][-4:] == fletcher32(data).to_bytes(4, "little")


@pytest.mark.parametrize("storage", [{"fletcher32": True}, {"compression": "gzip"}])
def test_a_flipped_byte_is_damage(tmp_path: Path, storage: dict[str, Any]) -> None:
    path = written(tmp_path / "a.h5", some_images((8, 20, 20)), chunks=(4, 20, 20), **storage)
    found = chunks_in(path)
    content = bytearray(path.read_bytes())
    content[int(found.offset[0]) + 50] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(CorruptStoreError, match=f"chunk of 'images' at byte {found.offset[0]} is damaged"):
        found.read(np.array([1]))
    assert found.read(np.array([5])).shape == (1, 20, 20)


def test_a_file_cut_short_says_so_before_and_after_it_was_opened(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", some_images((8, 20, 20)), chunks=(4, 20, 20))
    answer = examine(str(path), [str(path)])
    node, table = Node.from_json(answer.value[0][1]), bytes(answer.buffers[0])
    found = chunks_of(path, node, table, is_stack=True)
    with open(path, "r+b") as file:
        file.truncate(int(found.offset.max()) + 10)
    with pytest.raises(MissingRecordError, match="are gone"):
        found.read(np.arange(8))
    with pytest.raises(StoreTruncatedError, match="needs"):
        chunks_of(path, node, table, is_stack=True)


@pytest.mark.parametrize("change", ["twice", "absent", "odd", "outside", "negative", "uneven"])
def test_a_table_of_chunks_that_cannot_be_is_refused(tmp_path: Path, change: str) -> None:
    path = written(tmp_path / "a.h5", some_images((8, 20, 20)), chunks=(4, 20, 20))
    answer = examine(str(path), [str(path)])
    table = np.frombuffer(answer.buffers[0], "<i8").reshape(2, 6).copy()
    if change == "twice":
        table[1] = table[0]
    elif change == "absent":
        table = table[:1]
    elif change == "odd":
        table[1, 0] = 5
    elif change == "outside":
        table[1, 0] = 8
    elif change == "negative":
        table[1, 3] = -7
    else:
        table[1, 4] -= 1
    with pytest.raises(CorruptStoreError, match="get the file again"):
        chunks_of(path, Node.from_json(answer.value[0][1]), table.tobytes(), is_stack=True)


def test_shuffled_bytes_come_back_and_what_is_no_whole_value_stays_last() -> None:
    values = np.arange(5, dtype="<u4")
    shuffled = values.view(np.uint8).reshape(5, 4).T.tobytes() + b"end"
    assert unshuffled(shuffled, 4) == values.tobytes() + b"end"
    assert unshuffled(b"abc", 1) == b"abc" == unshuffled(b"abc", 4)


def test_a_shuffle_of_another_size_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", some_images((8, 20, 20), "u2"), chunks=(4, 20, 20), shuffle=True)
    answer = examine(str(path), [str(path)])
    node = replace(Node.from_json(answer.value[0][1]), filters=((2, (4,)),))
    with pytest.raises(CorruptStoreError, match="shuffled as if its numbers were of another size"):
        chunks_of(path, node, bytes(answer.buffers[0]), is_stack=True)


@given(st.binary(max_size=60))
def test_lzf_ends_for_any_bytes_and_makes_no_more_than_its_limit(data: bytes) -> None:
    try:
        assert len(unpack_lzf(data, 500)) <= 500
    except (ValueError, IndexError) as error:
        assert not isinstance(error, PixstoreError)


def test_a_gzip_bomb_is_stopped_at_the_size_of_its_chunk(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("images", (1, 10, 10), "u1", chunks=(1, 10, 10), compression="gzip")
        bomb = zlib.compress(bytes(50_000_000))[:4000]
        made.id.write_direct_chunk((0, 0, 0), bomb)
    with pytest.raises(CorruptStoreError, match="too many"):
        chunks_in(path).read(np.array([0]))
