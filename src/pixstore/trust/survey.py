"""The versions that a store keeps, read with their own digests in doubt: what is sound, what is damaged, what nothing names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pixstore import manifest
from pixstore.codec import hash_bytes
from pixstore.disk import bytes_of
from pixstore.errors import InvalidInputError, NotAStoreError, PixstoreError
from pixstore.manifest import MAX_BYTES, VERSION_FILE, Manifest, ShardEntry
from pixstore.record_table import FOLDER as SHARDS
from pixstore.splits.saved import FOLDER as SPLITS
from pixstore.trust.findings import Finding

VERSIONS = "versions"
PARTIAL = ".partial"


@dataclass
class Survey:
    """The kept versions of a store by number; `current` is that to check, None where no version can be read."""

    path: Path
    current: Manifest | None = None
    kept: dict[int, Manifest] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    leftovers: list[tuple[str, int]] = field(default_factory=list)
    """Files that no kept version names, and their bytes."""

    def shards(self) -> dict[str, tuple[ShardEntry, Manifest]]:
        """Return every shard that a kept version names, with the newest version that does."""
        found: dict[str, tuple[ShardEntry, Manifest]] = {}
        for number in sorted(self.kept):
            found.update({entry.id: (entry, self.kept[number]) for entry in self.kept[number].shards})
        return found

    def splits(self) -> set[str]:
        """Return the files of all saved splits."""
        return {file for each in self.kept.values() for file in each.splits.values()}


def survey(path: Path, version: int | str | None = None) -> Survey:
    """Return what versions the store has, and what is wrong with them; only `version` where one is asked for.

    Raises NotAStoreError where there is no store, InvalidInputError where the version asked for is not kept.
    """
    if not (path / manifest.NAME).exists() and not (path / VERSIONS).is_dir():
        raise NotAStoreError(f"{path}: no {manifest.NAME} here, so this is not a pixstore store")
    found = Survey(path)
    named = _read(path / manifest.NAME, "manifest", found)
    files = dict(_version_files(path))
    parsed = {number: _read(file, "version", found, number) for number, file in files.items() if named is None or number <= named.version}
    found.kept = {number: each for number, each in parsed.items() if each is not None}
    if named is not None:
        _compare_with_manifest(found, named, files)
        found.kept[named.version] = named
        _ask_for_tagged(found, named)
    found.current = named or (found.kept[max(found.kept)] if found.kept else None)
    found.leftovers = _leftovers(found)
    if version is not None:
        _choose(found, version)
    return found


def _leftovers(found: Survey) -> list[tuple[str, int]]:
    """Return what nothing names; nothing where a version is gone or cannot be read, for then nobody knows."""
    if found.current is None or found.findings:
        return []
    shards = [entry for each in found.kept.values() for entry in each.shards]
    files = {file.name for each in shards for file in (each.table, each.keys, each.pixels) if file is not None}
    files.update(name for each in shards for name in each.borrows)
    versions = {manifest.version_path(found.path, number).name for number in found.kept}
    named = {SHARDS: files, SPLITS: found.splits(), VERSIONS: versions}
    loose = [
        (f"{folder}/{each.name}", each) for folder in named for each in _entries(found.path / folder) if each.name not in named[folder]
    ]
    loose += [(each.name, each) for each in _entries(found.path) if each.name.endswith(PARTIAL)]
    return [(name, bytes_of(path)[0]) for name, path in sorted(loose)]


def _compare_with_manifest(found: Survey, named: Manifest, files: dict[int, Path]) -> None:
    name = f"{VERSIONS}/{manifest.version_path(found.path, named.version).name}"
    if named.version not in files:
        found.findings.append(Finding("missing", f"the version that {manifest.NAME} says has no file of its own", name))
    elif named.version in found.kept and found.kept[named.version] != named:
        # Both are sound: a commit that changes a version (a conversion goes on, a tag) was cut off between them.
        found.notes.append(f"{name} is of a commit that was cut off before {manifest.NAME} was replaced")


def _ask_for_tagged(found: Survey, named: Manifest) -> None:
    told = {each.file for each in found.findings}
    for tag, number in sorted(named.tags.items()):
        file = f"{VERSIONS}/{manifest.version_path(found.path, number).name}"
        if number not in found.kept and file not in told:
            found.findings.append(Finding("missing", f"is not there, though the tag {tag!r} keeps it", file))


def _choose(found: Survey, version: int | str) -> None:
    """Leave only this version, a number or a tag."""
    tags = found.current.tags if found.current is not None else {}
    number = tags.get(version) if isinstance(version, str) else version
    if number is None or number not in found.kept:
        kept = ", ".join(map(str, [*sorted(found.kept), *sorted(tags)]))
        raise InvalidInputError(f"{found.path}: version {version!r} is not kept, or cannot be read; those that are: {kept or 'none'}")
    found.kept = {number: found.kept[number]}
    found.current = found.kept[number]


def _version_files(path: Path) -> Iterator[tuple[int, Path]]:
    for each in _entries(path / VERSIONS):
        if (number := VERSION_FILE.fullmatch(each.name)) is not None:
            yield int(number[1]), each


def _read(path: Path, kind: str, found: Survey, number: int | None = None) -> Manifest | None:
    """Return the manifest in a file; None, and a finding, where it is not one."""
    file = path.name if kind == "manifest" else f"{VERSIONS}/{path.name}"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidInputError(f"{path.stat().st_size:,} bytes is no manifest")
        read = manifest.parse(path.read_bytes(), path)
        if number is not None and read.version != number:
            raise InvalidInputError(f"says that it is version {read.version}")
    except FileNotFoundError:
        found.findings.append(Finding("missing", "is not there", file))
    except (PixstoreError, OSError) as error:
        reason = str(error).removeprefix(f"{path}: ").partition("; an older one")[0]
        found.findings.append(Finding("manifest" if kind == "manifest" else "version", reason, file))
    else:
        return read
    return None


def check_splits(found: Survey) -> Iterator[Finding]:
    """Yield what is wrong with the saved splits; nothing is parsed whose digest does not match."""
    for name in sorted(found.splits()):
        file, digest = f"{SPLITS}/{name}", name.removesuffix(".arrow").rpartition(".")[2]
        try:
            data = (found.path / file).read_bytes()
        except OSError as error:
            yield Finding("missing", error.strerror or str(error), file)
            continue
        if f"{hash_bytes(data):016x}" != digest:
            yield Finding("split", "its digest does not match, so it was changed or damaged; save the split again", file)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
