"""The manifest: which shards make up which version of a store, and the one step that commits a version.

    manifest.json            the current version; replaced in one step, which is the only commit
    versions/00000007.json   the same bytes, written before; the last KEPT_VERSIONS and the tagged ones stay

A manifest is JSON and ends with a digest of itself: xxh3_64 of the text before `,"digest"`, as 16 hexadecimal digits.

All commits of one conversion are one version: each replaces the version's file, then manifest.json, and `job` says how far it is.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from pixstore.codec import hash_bytes
from pixstore.disk import replace_file, translated
from pixstore.errors import CorruptStoreError, IncompatibleStoreError, InvalidInputError, NotAStoreError
from pixstore.schema import Format, Schema, sound_format

FORMAT = 1
NAME = "manifest.json"
KEPT_VERSIONS = 10
MAX_BYTES = 1 << 30
DIGEST = ',"digest":"'
TILE_BYTES = 16 << 20
MOST_ROWS = 1 << 32
MOST_NAME_BYTES = 255
VERSION_FILE = re.compile(r"([0-9]{8,})\.json")
HASH = re.compile(r"[0-9a-f]{16}")
NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
"""How the system says that there is no such file."""

Durability: TypeAlias = Literal["power", "process"]


@dataclass(frozen=True)
class FolderFile:
    """One file in a shard's folder: its path in there with `/`, its size, and one digest of it all."""

    path: str
    bytes: int
    digest: int


@dataclass(frozen=True)
class ShardFile:
    """One file of a shard: its name, its size (None for a folder), and digests of its tiles (of TILE_BYTES each).

    Those of tables and key indices are checked at open, those of pixel files by `verify` alone. A folder has none, but the files in it
    have; not where each record is a file of its own, with a checksum in the table.
    """

    name: str
    bytes: int | None
    digests: tuple[int, ...] | None = None
    files: tuple[FolderFile, ...] = ()


@dataclass(frozen=True)
class ShardEntry:
    """One sealed shard: its files, and the half-open ranges of its rows that are deleted.

    `formats` holds the one format of a field whose every record has it; a field not named there is not uniform.
    `borrows` names pixel files of other shards that this one's table points into.
    """

    id: str
    engine: str
    rows: int
    table: ShardFile
    keys: ShardFile | None
    pixels: ShardFile | None
    formats: Mapping[str, Format]
    deleted: tuple[tuple[int, int], ...] = ()
    borrows: tuple[str, ...] = ()

    @property
    def deleted_rows(self) -> int:
        return sum(stop - start for start, stop in self.deleted)


@dataclass(frozen=True)
class JobState:
    """How far the conversion is that writes this version.

    `facts` say of which source and with which options, as JSON values. `rows` are the samples it is to convert; `ranges` are those done,
    as (start, stop, shards), ascending: the manifest's shards stand in their order. The counts are of these ranges.
    """

    facts: Mapping[str, Any]
    rows: int
    ranges: tuple[tuple[int, int, int], ...] = ()
    complete: bool = False
    samples: int = 0
    bytes_in: int = 0
    bad: int = 0
    duplicates: int = 0

    @property
    def fingerprint(self) -> str:
        """A digest of the facts: the same source with the same options has the same one."""
        return f"{hash_bytes(json.dumps(self.facts, sort_keys=True).encode()):016x}"


@dataclass(frozen=True)
class Manifest:
    """One version of a store."""

    version: int
    parent: int | None
    created: str
    engine: str
    durability: Durability
    schema: Schema
    next_key: int
    shards: tuple[ShardEntry, ...] = ()
    splits: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    job: JobState | None = None

    @property
    def is_unfinished(self) -> bool:
        """Whether a conversion has yet to write the rest of this version."""
        return self.job is not None and not self.job.complete

    @property
    def rows(self) -> int:
        return sum(shard.rows - shard.deleted_rows for shard in self.shards)

    def next(self, **changes: Any) -> Manifest:
        """Return the version after this one, with these changes; a conversion that is finished is no matter of it."""
        job = self.job if self.is_unfinished else None
        return replace(self, **{"version": self.version + 1, "parent": self.version, "job": job, **changes})


def is_store(path: Path) -> bool:
    """Return whether the folder holds a pixstore manifest, be it a damaged one; its name and suffix do not matter.

    Raises OSError where the system does not let us look.
    """
    try:
        with open(path / NAME, "rb") as file:
            return file.read(64).lstrip().startswith(b'{"pixstore":') or (path / "versions").is_dir()
    except OSError as error:
        # Whoever takes a store for none may remove it: only what cannot be there is not.
        if error.errno not in NOT_THERE:
            raise
        return False


def load(store: Path, version: int | None = None) -> Manifest:
    """Return the current version's manifest, or a kept one.

    Raises NotAStoreError where there is no manifest, CorruptStoreError where its digest does not match, and
    IncompatibleStoreError for a store of a newer format.
    """
    if version is not None and not _has_been(store, version):
        raise _not_kept(store, version)
    path = store / NAME if version is None else version_path(store, version)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CorruptStoreError(f"{path}: {path.stat().st_size:,} bytes is no manifest; the limit is {MAX_BYTES:,}")
        data = path.read_bytes()
    except FileNotFoundError as error:
        if version is not None and (store / NAME).exists():
            raise _not_kept(store, version) from error
        raise NotAStoreError(f"{store}: no {NAME} here, so this is not a pixstore store") from error
    return parse(data, path)


def _has_been(store: Path, version: int) -> bool:
    """Return whether this version was committed: a commit that was cut off may have left the file of one that never was."""
    try:
        return version <= load(store).version
    except CorruptStoreError:
        # Nothing says any more which one was the last; those that are whole are better than none.
        return True


def _not_kept(store: Path, version: int) -> InvalidInputError:
    return InvalidInputError(f"{store}: version {version} is not kept; those that are lie in {store / 'versions'}")


def version_path(store: Path, version: int) -> Path:
    return store / "versions" / f"{version:08}.json"


def commit(store: Path, manifest: Manifest) -> None:
    """Make this the current version: readers that open the store from now on see it, and after a crash either it or its parent."""
    durable = manifest.durability == "power"
    data = serialise(manifest)
    with translated(store, needed=2 * len(data)):
        replace_file(version_path(store, manifest.version), data, durable=durable)
        # In any case: the versions before this one may be such as survive a loss of power, and are found through this file.
        replace_file(store / NAME, data, durable=True)
    # The version is there: one that cannot be removed is no reason to call it failed.
    with suppress(OSError):
        _forget_old_versions(store, manifest)


def _forget_old_versions(store: Path, manifest: Manifest) -> None:
    kept = {f"{version:08}.json" for version in manifest.tags.values()}
    # A commit that was cut off may have left a later one, which must not push a version out.
    files = [each.name for each in (store / "versions").iterdir() if _number(each.name) in range(manifest.version + 1)]
    files.sort(key=_number)
    for name in files[:-KEPT_VERSIONS]:
        if name not in kept:
            (store / "versions" / name).unlink(missing_ok=True)


def _number(name: str) -> int:
    """Return the number of a version's file, -1 where the name is not one that we give."""
    found = VERSION_FILE.fullmatch(name)
    return -1 if found is None else int(found[1])


def serialise(manifest: Manifest) -> bytes:
    """Return the manifest as JSON that ends with its own digest."""
    value = {
        "pixstore": FORMAT,
        "version": manifest.version,
        "parent": manifest.parent,
        "created": manifest.created,
        "engine": manifest.engine,
        "durability": manifest.durability,
        "rows": manifest.rows,
        "next_key": manifest.next_key,
        "schema": manifest.schema.to_json(),
        "shards": [_shard_to_json(shard) for shard in manifest.shards],
        "splits": dict(manifest.splits),
        "tags": dict(manifest.tags),
        "job": None if manifest.job is None else _job_to_json(manifest.job),
    }
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))[:-1].encode()
    return text + f'{DIGEST}{hash_bytes(text):016x}"}}\n'.encode()


def parse(data: bytes, path: Path) -> Manifest:
    """Return the manifest of these bytes; `path` is for messages."""
    text, found, ending = data.rpartition(DIGEST.encode())
    try:
        value = json.loads(data)
        newer = value["pixstore"] > FORMAT
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptStoreError(f"{path}: not a whole manifest ({error}); {_older(path)}") from error
    if newer:
        raise IncompatibleStoreError(f"{path}: format {value['pixstore']}, this pixstore reads up to {FORMAT}; upgrade pixstore")
    if not found or ending != f'{hash_bytes(text):016x}"}}\n'.encode():
        raise CorruptStoreError(f"{path}: its digest does not match, so it was changed or damaged; {_older(path)}")
    try:
        return _from_json(value)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise CorruptStoreError(f"{path}: a part is missing or of the wrong kind ({error!r})") from error


def _older(path: Path) -> str:
    folder = path.parent if path.parent.name == "versions" else path.parent / "versions"
    return f"an older one may lie in {folder}, see `pixstore rollback`"


def _from_json(value: Mapping[str, Any]) -> Manifest:
    if value["durability"] not in get_args(Durability):
        raise ValueError(f"durability {value['durability']!r}")
    shards = tuple(_shard_from_json(shard) for shard in value["shards"])
    if len({shard.id for shard in shards}) < len(shards):
        raise ValueError("two shards have the same id")
    return Manifest(
        version=_count(value["version"]),
        parent=None if value["parent"] is None else _count(value["parent"]),
        created=_text(value["created"]),
        engine=_text(value["engine"]),
        durability=value["durability"],
        schema=Schema.from_json(value["schema"]),
        next_key=_count(value["next_key"]),
        shards=shards,
        splits={_text(name): _checked_name(file) for name, file in value["splits"].items()},
        tags={_text(name): _count(version) for name, version in value["tags"].items()},
        # Stores made before conversions were jobs have none.
        job=None if value.get("job") is None else _job_from_json(value["job"], len(value["shards"])),
    )


def _count(value: Any) -> int:
    # Beyond 64 bits nothing can be counted by what follows.
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(f"{value!r} is no count")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _job_to_json(job: JobState) -> dict[str, Any]:
    return {
        "facts": dict(job.facts),
        "rows": job.rows,
        "ranges": [list(each) for each in job.ranges],
        "complete": job.complete,
        "samples": job.samples,
        "bytes_in": job.bytes_in,
        "bad": job.bad,
        "duplicates": job.duplicates,
    }


def _job_from_json(value: Mapping[str, Any], shards: int) -> JobState:
    job = JobState(
        facts={_text(name): fact for name, fact in value["facts"].items()},
        rows=_count(value["rows"]),
        ranges=tuple((_count(start), _count(stop), _count(count)) for start, stop, count in value["ranges"]),
        complete=value["complete"],
        samples=_count(value["samples"]),
        bytes_in=_count(value["bytes_in"]),
        bad=_count(value["bad"]),
        duplicates=_count(value["duplicates"]),
    )
    edges = [edge for start, stop, _ in job.ranges for edge in (start, stop)]
    if not isinstance(job.complete, bool) or edges != sorted(edges) or edges[-1:] > [job.rows]:
        raise ValueError(f"job: ranges {job.ranges[:3]} of {job.rows} rows")
    # What is finished may be compacted and changed; what is not is continued range by range.
    if not job.complete and sum(count for *_, count in job.ranges) != shards:
        raise ValueError(f"job: ranges of other than the {shards} shards")
    return job


def _shard_to_json(shard: ShardEntry) -> dict[str, Any]:
    return {
        "id": shard.id,
        "engine": shard.engine,
        "rows": shard.rows,
        "table": _file_to_json(shard.table),
        "keys": None if shard.keys is None else _file_to_json(shard.keys),
        "pixels": None if shard.pixels is None else _file_to_json(shard.pixels),
        "formats": {
            name: {"codec": each.codec, "shape": list(each.shape or ()), "dtype": each.dtype} for name, each in shard.formats.items()
        },
        "deleted": [list(each) for each in shard.deleted],
        "borrows": list(shard.borrows),
    }


def _shard_from_json(value: Mapping[str, Any]) -> ShardEntry:
    rows = _count(value["rows"])
    if rows > MOST_ROWS:
        raise ValueError(f"shard {value['id']!r}: {rows} rows, above {MOST_ROWS:,}")
    deleted = tuple((_count(start), _count(stop)) for start, stop in value["deleted"])
    edges = [edge for each in deleted for edge in each]
    if any(start >= stop for start, stop in deleted) or edges != sorted(edges) or edges[-1:] > [rows]:
        raise ValueError(f"shard {value['id']!r}: {rows} rows, deleted {deleted[:3]}")
    return ShardEntry(
        id=_checked_name(value["id"]),
        engine=_text(value["engine"]),
        rows=rows,
        table=_file_from_json(value["table"]),
        keys=None if value["keys"] is None else _file_from_json(value["keys"]),
        pixels=None if value["pixels"] is None else _file_from_json(value["pixels"]),
        formats={name: sound_format(each["codec"], tuple(each["shape"]), each["dtype"]) for name, each in value["formats"].items()},
        deleted=deleted,
        borrows=tuple(_checked_name(name) for name in value["borrows"]),
    )


def _file_to_json(file: ShardFile) -> dict[str, Any]:
    digests = None if file.digests is None else [f"{each:016x}" for each in file.digests]
    files = [[each.path, each.bytes, f"{each.digest:016x}"] for each in file.files]
    return {"name": file.name, "bytes": file.bytes, "digests": digests, **({"files": files} if files else {})}


def _file_from_json(value: Mapping[str, Any]) -> ShardFile:
    name = _checked_name(value["name"])
    size = None if value["bytes"] is None else _count(value["bytes"])
    digests = None if value["digests"] is None else tuple(_digest(each) for each in value["digests"])
    # Where one is left out, nothing would prove the bytes it stands for.
    if digests is not None and (size is None or len(digests) != -(-size // TILE_BYTES)):
        raise ValueError(f"{name}: {len(digests)} digests of {size} bytes")
    files = tuple(FolderFile(_checked_path(path), _count(held), _digest(digest)) for path, held, digest in value.get("files", ()))
    if files and size is not None:
        raise ValueError(f"{name}: a file with {len(files)} files in it")
    return ShardFile(name, size, digests, files)


def _checked_path(path: Any) -> str:
    if not isinstance(path, str):
        raise ValueError(f"file name {path!r}")
    return "/".join(map(_checked_name, path.split("/")))


def _digest(text: Any) -> int:
    if not isinstance(text, str) or not HASH.fullmatch(text):
        raise ValueError(f"{text!r} is no digest")
    return int(text, 16)


def _checked_name(name: Any) -> str:
    # A manifest from elsewhere must not make us read outside the store.
    if not isinstance(name, str) or "/" in name or "\\" in name or name in {"", ".", ".."} or "\0" in name:
        raise ValueError(f"file name {name!r}")
    if len(name.encode()) > MOST_NAME_BYTES:
        raise ValueError(f"file name {name[:20]!r}… of more than {MOST_NAME_BYTES} bytes")
    return name
