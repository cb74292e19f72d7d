"""Shards together: members are numbered through all of them, and lie where their bytes are, in files or in memory."""

from __future__ import annotations

import io
import os
import resource
import tarfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from pixstore.errors import NotAStoreError
from pixstore.rows import Extents, Slices
from pixstore.sources.archives.sample_groups import NONE, samples_of
from pixstore.sources.archives.tar_shards import Shards, is_packed


def write(path: Path, mode: str, **files: bytes) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name.replace("_", "."))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_members_of_all_shards_lie_where_their_bytes_are(tmp_path: Path, mode: str) -> None:
    files = [write(tmp_path / "a", mode, a_jpg=b"one", a_cls=b"1"), write(tmp_path / "b", mode, b_jpg=b"three")]
    assert [is_packed(file) for file in files] == [mode != "w"] * 2
    with ExitStack() as stack:
        shards = Shards.of(files, stack)
        samples = samples_of(shards.members, ["a", "b"])
        assert [shards.reader(samples)(member) for member in range(3)] == [b"one", b"1", b"three"]
        place = shards.place(samples, samples.members["cls"])
        assert samples.members["cls"].tolist() == [1, NONE]
        images = shards.place(samples, samples.members["jpg"])
    if isinstance(place, Slices):
        assert place.length.tolist() == [1, -1] and [bytes(view or b"") for view in place.views()] == [b"1", b""]
        assert isinstance(images, Slices) and [bytes(view or b"") for view in images.views()] == [b"one", b"three"]
    else:
        assert place.length.tolist() == [1, 0] and place.offset[1] == -1
        assert isinstance(images, Extents) and np.array_equal(images.file, [0, 1])
        found = [
            Path(images.paths[file]).read_bytes()[at:][:size]
            for file, at, size in zip(images.file, images.offset, images.length, strict=True)
        ]
        assert found == [b"one", b"three"]


def test_more_shards_are_read_than_files_may_be_open(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{number}", "w", **{f"a{number}_cls": b"%d" % number}) for number in range(60)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, hard))
    try:
        with ExitStack() as stack:
            shards = Shards.of(files, stack)
            read = shards.reader(samples_of(shards.members, list(map(str, files))))
            assert [int(read(member)) for member in range(60)] == list(range(60))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_compressed_and_plain_shards_are_not_mixed(tmp_path: Path) -> None:
    files = [write(tmp_path / "a", "w", a_jpg=b"x"), write(tmp_path / "b", "w:xz", b_jpg=b"x")]
    with ExitStack() as stack, pytest.raises(NotAStoreError, match="b: is compressed, other shards are not"):
        Shards.of(files, stack)
