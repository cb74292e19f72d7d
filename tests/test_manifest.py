"""Manifest: what is damaged, hostile or newer is refused in one clear error, and a version is there whole or not at all."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pixstore
from pixstore import errors, manifest
from pixstore.codec import hash_bytes
from pixstore.writer import Writer

IMAGES = np.arange(4 * 3 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3, 3)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two shards with a deleted row; tests that change it change a copy of its manifest."""
    path = tmp_path_factory.mktemp("manifest") / "s"
    with Writer(path, engine="files", codec="png") as writer:
        writer.add_batch(IMAGES, key=list("pqrs"), label=[1, 2, 3, 4], name=list("abcd"), boxes=[[1.5], [], [2.5], None])
        writer.commit()
        writer.delete("q")
        writer.update("r", label=7)
    return path


@pytest.fixture(scope="module")
def data(sound: Path) -> bytes:
    return (sound / manifest.NAME).read_bytes()


def signed(value: dict[str, Any]) -> bytes:
    """Return a manifest with a digest that fits, as whoever makes a hostile store makes it."""
    value.pop("digest", None)
    text = json.dumps(value, separators=(",", ":"))[:-1].encode()
    return text + f'{manifest.DIGEST}{hash_bytes(text):016x}"}}\n'.encode()


def parsed(data: bytes) -> manifest.Manifest:
    return manifest.parse(data, Path("s/manifest.json"))


def test_manifest_comes_back_as_it_was_written(data: bytes) -> None:
    assert manifest.serialise(parsed(data)) == data
    assert parsed(data).rows == 3 and parsed(data).version == 2 and parsed(data).parent == 1


def test_every_flipped_bit_is_refused(data: bytes) -> None:
    for place in range(len(data)):
        for bit in (0, 3, 5, 7):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            with pytest.raises((errors.CorruptStoreError, errors.IncompatibleStoreError)):
                parsed(bytes(flipped))


def test_every_cut_is_refused(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(errors.CorruptStoreError):
            parsed(data[:length])


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_are_refused_in_our_words(junk: bytes) -> None:
    with pytest.raises(errors.CorruptStoreError):
        parsed(junk)


@pytest.mark.parametrize(
    "junk", [b"[" * 100_000, b'{"pixstore":1e999}', b'{"pixstore":"1"}', b"[]", b"null", b'{"pixstore":null}', b"\xff"]
)
def test_odd_json_is_refused_in_our_words(junk: bytes) -> None:
    with pytest.raises((errors.CorruptStoreError, errors.IncompatibleStoreError)):
        parsed(junk)


@pytest.mark.parametrize("place", [0, 1, 4, 10, 11, 12])
def test_damaged_store_is_not_taken_for_a_folder_of_images(sound: Path, data: bytes, place: int) -> None:
    """The shards of the files engine hold images; a flip in the mark of a store must not make them a dataset."""
    damaged = bytearray(data)
    damaged[place] ^= 4
    try:
        (sound / manifest.NAME).write_bytes(damaged)
        with pytest.raises((errors.CorruptStoreError, errors.IncompatibleStoreError)):
            pixstore.open(sound)
    finally:
        (sound / manifest.NAME).write_bytes(data)


def test_newer_format_is_refused_by_its_number(data: bytes) -> None:
    value = json.loads(data) | {"pixstore": 2}
    with pytest.raises(errors.IncompatibleStoreError, match=r"format 2.*up to 1.*upgrade"):
        parsed(signed(value))


def test_column_type_of_a_newer_version_is_refused_by_its_name(data: bytes) -> None:
    value = json.loads(data)
    value["schema"]["columns"][0]["type"] = "decimal128(3, 1)"
    with pytest.raises(errors.IncompatibleStoreError, match="decimal128"):
        parsed(signed(value))


def put(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(manifest: Any) -> None:
        for step in path[:-1]:
            manifest = manifest[step]
        manifest[path[-1]] = value

    return change


OUTSIDE = ["../evil", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "a\0b", 3, None]
HOSTILE: dict[str, Callable[[dict[str, Any]], None]] = {
    **{f"table {name!r}": put("shards", 0, "table", "name", value=name) for name in OUTSIDE},
    **{f"keys {name!r}": put("shards", 0, "keys", "name", value=name) for name in OUTSIDE[:2]},
    **{f"pixels {name!r}": put("shards", 0, "pixels", "name", value=name) for name in OUTSIDE[:2]},
    **{f"borrows {name!r}": put("shards", 0, "borrows", value=[name]) for name in OUTSIDE[:2]},
    **{f"id {name!r}": put("shards", 0, "id", value=name) for name in OUTSIDE[:2]},
    **{f"split {name!r}": put("splits", value={"a": name}) for name in OUTSIDE[:2]},
    **{f"rows {value!r}": put("shards", 0, "rows", value=value) for value in (-1, 1.5, "4", None, True, 1 << 70)},
    **{f"bytes {value!r}": put("shards", 0, "table", "bytes", value=value) for value in (-1, 1.5, "4")},
    **{f"version {value!r}": put("version", value=value) for value in (-1, "7", None, 1e300)},
    **{f"next_key {value!r}": put("next_key", value=value) for value in (-1, "7", None)},
    **{f"deleted {value!r}": put("shards", 0, "deleted", value=value) for value in (
        [[0, 5]], [[-1, 1]], [[2, 1]], [[1, 1]], [[0, 2], [1, 3]], [[2, 3], [0, 1]], [[0]], [["a", "b"]], 3)},
    **{f"shape {value!r}": put("shards", 0, "formats", "image", "shape", value=value) for value in ([-1], ["a"], [1] * 40, 3)},
    **{f"dtype {value!r}": put("shards", 0, "formats", "image", "dtype", value=value) for value in ("O", "V9", "nonsense", 3, "M8[s]")},
    "codec": put("shards", 0, "formats", "image", "codec", value=3),
    "durability": put("durability", value="none"),
    "engine": put("engine", value=3),
    **{f"digests {value!r}": put("shards", 0, "table", "digests", value=value) for value in (
        ["xyz"], ["-1"], ["f" * 17], ["F" * 16], [f"0x{7:014x}"], [7], [], ["0" * 16] * 2)},
    "digests of a folder": put("shards", 0, "pixels", "digests", value=["0" * 16]),
    "more rows than a shard has": put("shards", 0, "rows", value=(1 << 32) + 1),
    "long name": put("shards", 0, "table", "name", value="x" * 256),
    "id twice": lambda value: value["shards"].append(value["shards"][0]),
    "shards": put("shards", value={"a": 1}),
    "schema": put("schema", value=[]),
    "field twice": lambda value: value["schema"]["fields"].append(value["schema"]["fields"][0]),
    "field name": put("schema", "fields", 0, "name", value="../x"),
    "deep type": put("schema", "columns", 0, "type", value="list<" * 5000 + "int64" + ">" * 5000),
    "tags": put("tags", value={"best": "../1"}),
}  # fmt: skip


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_manifest_with_a_fitting_digest_is_refused(data: bytes, change: Callable[[dict[str, Any]], None]) -> None:
    value = json.loads(data)
    change(value)
    with pytest.raises(errors.CorruptStoreError, match=r"s/manifest.json"):
        parsed(signed(value))


def parts(value: Any) -> list[tuple[dict[str, Any], str]]:
    """Return every (parent, name) in a manifest whose absence must be noticed."""
    if isinstance(value, list):
        return [found for each in value for found in parts(each)]
    if not isinstance(value, dict):
        return []
    # A count of all rows is for human readers; a field without one format is not uniform; older stores have no job.
    here = [(value, name) for name in value if name not in ("digest", "image", "job") and not (name == "rows" and "shards" in value)]
    return here + [found for each in value.values() for found in parts(each)]


def test_missing_part_is_refused(data: bytes) -> None:
    value = json.loads(data)
    every = parts(value)
    assert len(every) > 50
    for parent, name in every:
        kept = parent.pop(name)
        with pytest.raises(errors.CorruptStoreError):
            parsed(signed(value))
        parent[name] = kept


JOB = manifest.JobState({"source": "photos", "order": "key"}, 10, ((0, 4, 1), (6, 8, 0), (8, 10, 2)), False, 7, 700, 1, 3)


def with_job(data: bytes, **changes: Any) -> bytes:
    job = dataclasses.replace(JOB, **changes)
    shards = [dataclasses.replace(shard, id=f"{turn}-{shard.id}") for turn in range(3) for shard in parsed(data).shards]
    return manifest.serialise(dataclasses.replace(parsed(data), job=job, shards=tuple(shards[:3])))


def test_job_comes_back_as_it_was_written(data: bytes) -> None:
    found = parsed(with_job(data))
    assert found.job == JOB and found.is_unfinished and not parsed(with_job(data, complete=True)).is_unfinished
    assert parsed(data).job is None and not parsed(data).is_unfinished


def test_fingerprint_is_that_of_the_facts_in_any_order() -> None:
    turned = dataclasses.replace(JOB, facts={"order": "key", "source": "photos"}, rows=11, complete=True)
    assert turned.fingerprint == JOB.fingerprint != dataclasses.replace(JOB, facts={"source": "photos", "order": "source"}).fingerprint


def test_only_an_unfinished_job_goes_on_in_the_next_version(data: bytes) -> None:
    assert parsed(with_job(data)).next().job == JOB and parsed(with_job(data, complete=True)).next().job is None
    assert parsed(with_job(data)).next(job=None).job is None


@pytest.mark.parametrize(
    "change",
    [
        {"ranges": ((0, 4, 1), (3, 8, 2))},
        {"ranges": ((4, 0, 3),)},
        {"ranges": ((0, 11, 3),)},
        {"ranges": ((0, 4, 1),)},
        {"ranges": ((0, -4, 3),)},
        {"rows": -1},
        {"samples": "7"},
        {"complete": "no"},
    ],
    ids=str,
)
def test_hostile_job_is_refused(data: bytes, change: dict[str, Any]) -> None:
    with pytest.raises(errors.CorruptStoreError, match=r"s/manifest.json"):
        parsed(with_job(data, **change))


def test_huge_manifest_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with open(tmp_path / manifest.NAME, "wb") as file:
        file.write(b'{"pixstore":1')
        file.truncate(manifest.MAX_BYTES + 1)
    with pytest.raises(errors.CorruptStoreError, match="limit"):
        manifest.load(tmp_path)


# ---- versions ----


def test_old_versions_open_and_ten_are_kept(tmp_path: Path) -> None:
    for number in range(13):
        with Writer(tmp_path / "s", mode="a", durability="process") as writer:
            writer.add(np.full((2, 2), number, np.uint8), label=number)
    kept = sorted(int(each.stem) for each in (tmp_path / "s" / "versions").iterdir())
    assert kept == list(range(4, 14)) and manifest.KEPT_VERSIONS == 10
    for version in (4, 9, 13):
        ds = pixstore.open(tmp_path / "s", version=version)
        assert ds[:]["label"].tolist() == list(range(version)) and ds[-1].image[0, 0] == version - 1
    for version in (3, 0, -1, 14):
        with pytest.raises(errors.InvalidInputError, match=f"version {version} is not kept"):
            pixstore.open(tmp_path / "s", version=version)


@pytest.mark.parametrize("content", [b"", b'{"pixstore":1', b"\0" * 900])
def test_kept_version_opens_where_the_current_manifest_is_damaged(tmp_path: Path, content: bytes) -> None:
    for number in range(2):
        with Writer(tmp_path / "s", mode="a", durability="process") as writer:
            writer.add(np.full((2, 2), number, np.uint8))
    (tmp_path / "s" / manifest.NAME).write_bytes(content)
    with pytest.raises(errors.CorruptStoreError, match="pixstore rollback"):
        manifest.load(tmp_path / "s")
    assert [manifest.load(tmp_path / "s", version).rows for version in (1, 2)] == [1, 2]


def test_system_that_does_not_let_us_look_is_no_missing_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever believes that there is no store may remove its shards."""
    Writer(tmp_path / "s", durability="process").close()

    def refused(*_: Any) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr("builtins.open", refused)
    with pytest.raises(OSError, match="input/output error"):
        manifest.is_store(tmp_path / "s")


def test_path_that_cannot_be_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").write_bytes(b"x")
    assert not any(manifest.is_store(each) for each in (tmp_path / ("x" * 300), tmp_path / "loop", tmp_path / "file"))


def test_tagged_version_is_kept_longer(tmp_path: Path) -> None:
    Writer(tmp_path / "s", durability="process").close()
    first = manifest.load(tmp_path / "s")
    for _ in range(12):
        manifest.commit(tmp_path / "s", manifest.load(tmp_path / "s").next(tags={"first": first.version}))
    assert manifest.load(tmp_path / "s", 1) == first and len(list((tmp_path / "s" / "versions").iterdir())) == 11


def test_only_files_of_versions_are_forgotten(tmp_path: Path) -> None:
    Writer(tmp_path / "s", durability="process").close()
    mine = [tmp_path / "s/versions" / name for name in ("0notes.json", "00000000000x.json", "00000001.json.bak", "1.json")]
    for path in mine:
        path.write_text("{}")
    for _ in range(12):
        manifest.commit(tmp_path / "s", manifest.load(tmp_path / "s").next())
    kept = {each.name for each in (tmp_path / "s/versions").iterdir()}
    assert kept == {each.name for each in mine} | {f"{version:08}.json" for version in range(4, 14)}


def test_versions_are_forgotten_by_number_not_by_name(tmp_path: Path) -> None:
    Writer(tmp_path / "s", durability="process").close()
    first = dataclasses.replace(manifest.load(tmp_path / "s"), version=99_999_995)
    for number in range(12):
        manifest.commit(tmp_path / "s", dataclasses.replace(first, version=first.version + number))
    kept = sorted(int(each.stem) for each in (tmp_path / "s/versions").iterdir())
    assert kept == list(range(first.version + 2, first.version + 12))


def test_manifest_is_synced_whatever_the_durability(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Earlier versions may be such as survive a loss of power; they must not be lost with the file that names the newest."""
    Writer(tmp_path / "s", durability="power").close()
    synced, real = [], os.fsync

    def seen(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.partition(".json")[0])
        real(descriptor)

    monkeypatch.setattr(os, "fsync", seen)
    manifest.commit(tmp_path / "s", manifest.load(tmp_path / "s").next(durability="process"))
    assert "manifest" in synced


def test_version_that_never_was_pushes_no_other_out(tmp_path: Path) -> None:
    Writer(tmp_path / "s", durability="process").close()
    for _ in range(8):
        manifest.commit(tmp_path / "s", manifest.load(tmp_path / "s").next())
    # Two commits from now on, one of them cut off after the version's file was written.
    manifest.version_path(tmp_path / "s", 11).write_bytes(manifest.serialise(manifest.load(tmp_path / "s").next(version=11)))
    manifest.commit(tmp_path / "s", manifest.load(tmp_path / "s").next())
    assert [manifest.load(tmp_path / "s", version).version for version in range(1, 11)] == list(range(1, 11))


def test_version_that_was_never_committed_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends after the version's file is written and before the manifest is replaced."""
    Writer(tmp_path / "s", durability="process").close()
    before, real = manifest.load(tmp_path / "s"), os.replace

    def cut(source: Any, target: Any) -> None:
        if Path(target).name == manifest.NAME:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        manifest.commit(tmp_path / "s", before.next())
    assert (tmp_path / "s" / "versions" / "00000002.json").exists() and manifest.load(tmp_path / "s") == before
    with pytest.raises(errors.InvalidInputError, match="version 2 is not kept"):
        pixstore.open(tmp_path / "s", version=2)
    assert [each.name for each in (tmp_path / "s").iterdir() if "partial" in each.name] == []


def test_old_version_that_cannot_be_removed_does_not_fail_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Writer(tmp_path / "s", durability="process").close()
    for _ in range(9):
        manifest.commit(tmp_path / "s", manifest.load(tmp_path / "s").next())

    def refused(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "not allowed", str(path))

    # replace_file removes what an earlier process with the same number left; only old versions are refused here.
    real = Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: (refused if path.suffix == ".json" else real)(path, missing_ok))
    manifest.commit(tmp_path / "s", manifest.load(tmp_path / "s").next())
    assert manifest.load(tmp_path / "s").version == 11 and len(list((tmp_path / "s" / "versions").iterdir())) == 11


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"name": "somebody else"}'])
def test_folder_without_our_manifest_is_no_store(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / manifest.NAME).write_bytes(content)
    assert not manifest.is_store(tmp_path) and not manifest.is_store(tmp_path / "nowhere")


def test_folder_without_manifest_does_not_load(tmp_path: Path) -> None:
    with pytest.raises(errors.NotAStoreError, match=r"no manifest\.json here"):
        manifest.load(tmp_path)
    with pytest.raises(errors.NotAStoreError):
        manifest.load(tmp_path, 3)
