"""The versions that a store keeps: which there are, their tags, and going back to one."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pixstore.builder import files_of_shard
from pixstore.disk import bytes_of
from pixstore.errors import CorruptStoreError, DestinationExistsError, InvalidInputError, NotAStoreError, PathNotFoundError
from pixstore.lock import WriterLock
from pixstore.manifest import NAME, Manifest, ShardEntry, commit, is_store, load, parse, version_path
from pixstore.mode import kept_numbers
from pixstore.opening import unfinished_words, version_number
from pixstore.record_table import FOLDER
from pixstore.shard import check_size
from pixstore.splits.plan import checked_name


@dataclass(frozen=True)
class VersionFacts:
    """One kept version. `new_bytes` are those of the files that no kept version before it names.

    `damage` says why its file cannot be read; then all but its number is empty.
    """

    number: int
    created: str = ""
    rows: int = 0
    new_bytes: int = 0
    tags: tuple[str, ...] = ()
    engine: str = ""
    durability: str = ""
    is_current: bool = False
    is_finished: bool = True
    damage: str | None = None


def facts_of_versions(store: Path) -> list[VersionFacts]:
    """Return the kept versions, oldest first.

    A damaged or missing manifest is no obstacle: then none is the current one. Raises NotAStoreError where there is no store.
    """
    require_store(store)
    try:
        current: Manifest | None = load(store)
    except (CorruptStoreError, NotAStoreError):
        current = None
    seen: set[str] = set()
    found = []
    for number in kept_numbers(store):
        if current is not None and number > current.version:
            continue
        try:
            made = current if current is not None and number == current.version else parse_version(store, number)
        except CorruptStoreError as error:
            found.append(VersionFacts(number, damage=str(error)))
            continue
        names = files_of(made) - seen
        seen |= names
        found.append(_facts(store, made, names, current))
    return found


def _facts(store: Path, made: Manifest, names: set[str], current: Manifest | None) -> VersionFacts:
    """Return what there is to say of a version; `names` are the files that are new in it."""
    tags = (current or made).tags
    return VersionFacts(
        number=made.version,
        created=made.created,
        rows=made.rows,
        new_bytes=sum(size_of(store / FOLDER / name) for name in names),
        tags=tuple(sorted(tag for tag, tagged in tags.items() if tagged == made.version)),
        engine=made.engine,
        durability=made.durability,
        is_current=made is current,
        is_finished=not made.is_unfinished,
    )


def require_store(store: Path) -> None:
    """Raise PathNotFoundError or NotAStoreError where there is no store, not even one whose manifest is gone."""
    if not store.exists():
        raise PathNotFoundError(f"{store}: does not exist; nothing was created")
    if not is_store(store) and not kept_numbers(store):
        raise NotAStoreError(f"{store}: no {NAME} here, so this is not a pixstore store")


def parse_version(store: Path, number: int) -> Manifest:
    """Return a kept version, whatever became of the manifest. Raises CorruptStoreError where its file is damaged or missing."""
    path = version_path(store, number)
    try:
        return parse(path.read_bytes(), path)
    except OSError as error:
        raise CorruptStoreError(f"{path}: cannot be read ({error.strerror})") from error


def files_of(made: Manifest) -> set[str]:
    """Return the names of all files in the folder of the shards that a version needs."""
    return {name for shard in made.shards for name in files_of_shard(shard)}


def size_of(path: Path) -> int:
    """Return the bytes of a file or folder, 0 where there is none."""
    try:
        return bytes_of(path)[0]
    except FileNotFoundError:
        return 0


@contextmanager
def changing(store: Path) -> Iterator[Manifest]:
    """Hold the writer's lock and give the current version. Raises InvalidInputError where a conversion has not finished it."""
    require_store(store)
    lock = WriterLock(store)
    try:
        current = load(store)
        if current.is_unfinished:
            raise InvalidInputError(unfinished_words(store, current))
        yield current
    finally:
        lock.release()


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def tag(store: Path, name: str, version: int | str | None, *, replacing: bool) -> int:
    """Name a version (the current one for None) and return its number; a tagged version is kept until the tag is gone."""
    if checked_name(name, "tag").isdigit():
        raise InvalidInputError(f"tag {name!r} would be taken for a version's number; put a letter into it")
    with changing(store) as current:
        number = _kept(store, current, version).version
        former = current.tags.get(name)
        if former not in (None, number) and not replacing:
            raise DestinationExistsError(f"{store}: version {former} is tagged {name!r} already; choose another name, or say replace")
        if former != number:
            commit(store, replace(current, tags={**current.tags, name: number}))
    return number


def untag(store: Path, name: str) -> int:
    """Take a tag away and return the number of its version."""
    with changing(store) as current:
        if name not in current.tags:
            known = f"tags here: {', '.join(sorted(current.tags))}" if current.tags else "no version is tagged"
            raise InvalidInputError(f"{store}: no version is tagged {name!r}; {known}")
        commit(store, replace(current, tags={tag: number for tag, number in current.tags.items() if tag != name}))
        return current.tags[name]


def rollback(store: Path, version: int | str) -> int:
    """Commit a further version that has what an older one has, and return its number.

    Keys that were given out stay given out; tags stay. A damaged manifest is replaced so.
    """
    require_store(store)
    lock = WriterLock(store)
    try:
        current = _newest(store)
        if current.is_unfinished:
            raise InvalidInputError(unfinished_words(store, current))
        target = _kept(store, current, version)
        for shard in target.shards:
            _require_files(store, shard)
        next_key = max(target.next_key, current.next_key)
        number = _next_number(store, current)
        made = replace(target, version=number, parent=current.version, created=now(), next_key=next_key, tags=current.tags)
        commit(store, made)
    finally:
        lock.release()
    return number


def _next_number(store: Path, current: Manifest) -> int:
    """Return the number of the version to commit. A version file above a sound manifest's number is of a commit that was cut off."""
    try:
        return load(store).version + 1
    except (CorruptStoreError, NotAStoreError):
        return max(current.version, *kept_numbers(store), 0) + 1


def _newest(store: Path) -> Manifest:
    """Return the current version; the newest one that can be read where the manifest cannot."""
    try:
        return load(store)
    except (CorruptStoreError, NotAStoreError):
        for number in reversed(kept_numbers(store)):
            try:
                return parse_version(store, number)
            except CorruptStoreError:
                continue
        raise


def _kept(store: Path, current: Manifest, version: int | str | None) -> Manifest:
    """Return the version of a number or a tag. Raises InvalidInputError, saying which there are, where it is not kept."""
    if version is None:
        return current
    number = current.tags.get(version) if isinstance(version, str) and not version.isdigit() else version_number(store, version)
    if number == current.version:
        return current
    kept = [each for each in kept_numbers(store) if each <= current.version]
    if number not in kept:
        tags = f"; tags: {', '.join(sorted(current.tags))}" if current.tags else ""
        raise InvalidInputError(f"{store}: version {version!r} is not kept; those that are: {', '.join(map(str, kept))}{tags}")
    return parse_version(store, number)


def _require_files(store: Path, shard: ShardEntry) -> None:
    """Raise CorruptStoreError, naming the file, where a shard's files are not there as they were sealed."""
    for file in (shard.table, shard.keys, shard.pixels):
        if file is not None:
            check_size(store / FOLDER / file.name, file)
    for name in shard.borrows:
        if not (store / FOLDER / name).exists():
            raise CorruptStoreError(f"{store / FOLDER / name}: missing, though a version needs it; was the store copied whole?")
