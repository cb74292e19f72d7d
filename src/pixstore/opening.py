"""`pixstore.open`: a dataset from a path, or one from several."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from pixstore import manifest, registry
from pixstore.address import Address
from pixstore.belongings import SHARDS
from pixstore.dataset import Dataset
from pixstore.errors import CorruptStoreError, InvalidInputError
from pixstore.joined import Joined, Part
from pixstore.mode import kept_numbers
from pixstore.naming import Place, SourceLike, Unmatched
from pixstore.reading import Io
from pixstore.reopening import OpenJoined, OpenStore, open_source
from pixstore.rows import Rows
from pixstore.schema import ChannelOrder
from pixstore.source import SourceOptions
from pixstore.store import StoreRows


def open_dataset(
    path: SourceLike,
    *,
    version: int | str | None = None,
    label_from: str | None = None,
    channel_order: ChannelOrder | None = None,
    unmatched: Unmatched = "refuse",
    io: Io = "auto",
    threads: int | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> Dataset:
    """Open a store, or somebody else's data where it lies: a folder of images, CIFAR batches (folder or archive), LMDB, HDF5 …

    path: also a place within a file (`file.h5::/group/images`), a set of files (`train-{000..011}.tar`), or several datasets, each of
    which gives one field: `{"image": "photos/", "mask": "masks/"}`. These are joined by key or, where that does not match, by file stem;
    keys, order and labels are those of the first. unmatched: "refuse" (samples that one of them does not have are listed in an error) or
    "skip" (they are left out, and listed in `report`).

    version: an older version of a store, by number or tag. It stays readable, whoever writes, for as long as it is kept: the last ten and
    the tagged ones are, until `gc` is asked to forget more. label_from: "folder", a regular expression with one group, or a CSV file, for
    folders of images. channel_order: "bgr" or "rgb", for arrays whose layout does not say it; reading always gives RGB.
    io: "map" maps files, "pread" reads them; "auto" maps, except on network file systems and where a store's pixels are more than half of
    the memory there is. progress: called as `progress(files, 0, 0)` now and then while a folder is listed; the listing of a large one is
    kept for the next time.

    Raises PathNotFoundError where nothing is there (nothing is ever created), NotAStoreError saying what the path looks like,
    LabelMismatchError where samples of several datasets do not belong together one to one.
    """
    if io not in ("auto", "map", "pread"):
        raise InvalidInputError(f"io {io!r} is none of 'auto', 'map', 'pread'")
    if unmatched not in ("refuse", "skip"):
        raise InvalidInputError(f"unmatched {unmatched!r} is neither 'refuse' nor 'skip'")
    stated = SourceOptions(label_from, channel_order=channel_order, unmatched="skip" if unmatched == "skip" else None, progress=progress)
    if isinstance(path, Mapping):
        if version is not None:
            raise InvalidInputError(f"version {version!r} of several datasets; open the store of that version, and only it")
        opened, reopen = _open_together(path, stated, unmatched)
    else:
        opened, reopen = _open(path, version, stated)
    return Dataset(opened, reopen, io=io, threads=threads)


def _open_together(places: Mapping[str, Place], stated: SourceOptions, unmatched: Unmatched) -> tuple[Rows, Callable[[], Rows]]:
    """Open several datasets as one; labels come from the first, an order of colours is for each that has a use for it."""
    if not places or not all(isinstance(field, str) for field in places):
        raise InvalidInputError(f"{dict(places)!r}: name fields and where each lies, as in {{'image': 'photos/', 'mask': 'masks/'}}")
    if stated.channel_order and not any(_takes(place, "channel_order") for place in places.values()):
        raise InvalidInputError(
            f"channel_order {stated.channel_order!r}: none of these has a use for it: {registry.OPTIONS['channel_order']}"
        )
    parts, reopeners = [], []
    for number, (field, place) in enumerate(places.items()):
        own = replace(
            stated,
            label_from=None if number else stated.label_from,
            channel_order=stated.channel_order if stated.channel_order and _takes(place, "channel_order") else None,
            unmatched=stated.unmatched if stated.unmatched and _takes(place, "unmatched") else None,
        )
        rows, reopen = _open(place, None, own)
        parts.append(Part(field, os.fspath(place), rows))
        reopeners.append((field, os.fspath(place), reopen))
    return Joined(parts, unmatched=unmatched), OpenJoined(tuple(reopeners), unmatched)


def _takes(place: Place, option: str) -> bool:
    path = Address.of(place).path
    return not manifest.is_store(path) and option in registry.source_at(path).takes


def _open(path: Place, version: int | str | None, stated: SourceOptions) -> tuple[Rows, Callable[[], Rows]]:
    """Return the rows of one store or source, and how to open them again."""
    address = Address.of(path)
    place = address.path
    if manifest.is_store(place):
        _refuse_for_store(path, replace(stated, inner=address.inner))
        number = version_number(place, version)
        opened = _current(place) if number is None else StoreRows(place, number)
        if opened.manifest.is_unfinished:
            warnings.warn(unfinished_words(path, opened.manifest), stacklevel=4)
        return opened, OpenStore(place, opened.manifest)
    if version is not None:
        raise InvalidInputError(f"{path}: has no versions; only stores have")
    _refuse_store_without_manifest(place)
    options = replace(stated, inner=address.inner, files=address.files)
    return open_source(place, options)


def _refuse_for_store(path: Place, stated: SourceOptions) -> None:
    """Raise InvalidInputError for what is stated of a store, which says everything of itself."""
    if stated.label_from is not None:
        raise InvalidInputError(f"{path}: is a store, which has its own columns; label_from is for folders of images")
    if stated.channel_order is not None:
        raise InvalidInputError(f"{path}: is a store, whose colours are always RGB; channel_order is for arrays of others")
    if stated.unmatched is not None:
        raise InvalidInputError(f"{path}: is a store, which lacks nothing; unmatched is for images and masks that are joined")
    if stated.inner is not None:
        raise InvalidInputError(f"{path}: is a store, within which nothing is named; leave '::{stated.inner}' away")


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
