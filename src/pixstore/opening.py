"""`pixstore.open`: a dataset from a path, and how to open it again elsewhere."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pixstore import codec, manifest, registry
from pixstore.address import Address
from pixstore.belongings import SHARDS
from pixstore.dataset import Dataset, Io
from pixstore.errors import CorruptStoreError, InvalidInputError
from pixstore.mode import kept_numbers
from pixstore.rows import Rows
from pixstore.schema import ChannelOrder
from pixstore.source import SourceOptions
from pixstore.store import StoreRows


class _OpenStore:
    """How to open one version of a store again."""

    def __init__(self, path: Path, made: manifest.Manifest) -> None:
        self.path = path
        self.version = made.version
        self.rows = _digest_of_rows(made)

    def __call__(self) -> Rows:
        """Return the same rows. Raises InvalidInputError where the version has others now: that of a conversion grows until it is done."""
        opened = StoreRows(self.path, self.version)
        if _digest_of_rows(opened.manifest) != self.rows:
            raise InvalidInputError(f"{self.path}: version {self.version} has other rows than when it was opened; open it anew")
        return opened


def _digest_of_rows(made: manifest.Manifest) -> int:
    """Return what tells versions of other rows apart; a shard's id is never given twice."""
    return codec.hash_bytes("".join(f"{shard.id} {shard.deleted} " for shard in made.shards).encode())


class _OpenSource:
    """How to open a source again."""

    def __init__(self, path: Path, options: SourceOptions) -> None:
        self.path = path
        self.options = options

    def __call__(self) -> Rows:
        return registry.open_source(self.path, self.options)


def open_dataset(
    path: str | os.PathLike[str],
    *,
    version: int | str | None = None,
    label_from: str | None = None,
    channel_order: ChannelOrder | None = None,
    io: Io = "auto",
    threads: int | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> Dataset:
    """Open a store, or somebody else's data where it lies: a folder of images, CIFAR batches (folder or archive), LMDB, HDF5.

    version: an older version of a store, by number or tag. It stays readable, whoever writes, for as long as it is kept: the last ten and
    the tagged ones are, until `gc` is asked to forget more. label_from: "folder", a regular expression with one group, or a CSV file, for
    folders of images. channel_order: "bgr" or "rgb", for arrays whose layout does not say it; reading always gives RGB.
    io: "map" maps files, "pread" reads them; "auto" maps, except on network file systems and where a store's pixels are more than half of
    the memory there is. progress: called as `progress(files, 0, 0)` now and then while a folder is listed; the listing of a large one is
    kept for the next time.

    Raises PathNotFoundError where nothing is there (nothing is ever created), NotAStoreError saying what the path looks like.
    """
    address = Address.of(path)
    place = address.path
    if io not in ("auto", "map", "pread"):
        raise InvalidInputError(f"io {io!r} is none of 'auto', 'map', 'pread'")
    if manifest.is_store(place):
        if label_from is not None:
            raise InvalidInputError(f"{path}: is a store, which has its own columns; label_from is for folders of images")
        number = version_number(place, version)
        opened = _current(place) if number is None else StoreRows(place, number)
        if opened.manifest.is_unfinished:
            warnings.warn(unfinished_words(path, opened.manifest), stacklevel=2)
        return Dataset(opened, _OpenStore(place, opened.manifest), io=io, threads=threads)
    if version is not None:
        raise InvalidInputError(f"{path}: has no versions; only stores have")
    _refuse_store_without_manifest(place)
    options = SourceOptions(label_from, address.inner, address.files, channel_order)
    opened_source = registry.open_source(place, replace(options, progress=progress))
    return Dataset(opened_source, _OpenSource(place, options), io=io, threads=threads)


def _refuse_store_without_manifest(place: Path) -> None:
    """Raise CorruptStoreError for a store that has lost its manifest: its files must not pass for a folder of images with other keys."""
    if (place / SHARDS).is_dir() and kept_numbers(place):
        raise CorruptStoreError(
            f"{place}: its {manifest.NAME} is gone, its versions are not; `pixstore versions` lists them, `pixstore rollback` mends it"
        )


def _current(store: Path) -> StoreRows:
    """Return the current version's rows, whichever becomes it meanwhile.

    Between the manifest and the files it names, others may commit, compact and have gc remove those files: then there is a new manifest.
    """
    made = manifest.load(store)
    while True:
        try:
            return StoreRows(store, made)
        except CorruptStoreError:
            before, made = made, manifest.load(store)
            if made == before:
                raise


def version_number(store: Path, version: int | str | None) -> int | None:
    """Return the number that a version's number or tag means; None for None. Raises InvalidInputError, naming the tags there are."""
    if version is None or (isinstance(version, int) and not isinstance(version, bool)):
        return version
    if not isinstance(version, str):
        raise InvalidInputError(f"version {version!r} is neither a number nor a tag")
    if version.isascii() and version.isdigit():
        return int(version)
    tags = manifest.load(store).tags
    if version not in tags:
        known = f"tags here: {', '.join(sorted(tags))}" if tags else "no version is tagged"
        raise InvalidInputError(f"{store}: no version is tagged {version!r}; {known}")
    return tags[version]


def unfinished_words(path: str | os.PathLike[str], unfinished: manifest.Manifest) -> str:
    """Return in one line that a conversion is not done, and what to do."""
    done = f"{unfinished.job.samples:,} of {unfinished.job.rows:,} samples" if unfinished.job else "some samples"
    return f"{path}: a conversion that is not finished ({done}); run the same `pixstore convert` again to go on"
