"""Samples among the members of tar shards, grouped as WebDataset does: a key up to the first dot of the base name, an extension after it.

The files of a sample lie together. A key that comes again later is two halves of a sample or two samples of one name: neither is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pixstore.errors import CorruptStoreError, DuplicateKeyError
from pixstore.rows import Indices
from pixstore.source import Skipped
from pixstore.sources.archives.tar_index import Members
from pixstore.sources.folders.image_names import key_of

META = re.compile(r"__[^/]*__($|/)")
SURROGATES = re.compile("[\udc80-\udcff]")
NONE = -1


@dataclass
class Samples:
    """Keys in order; for each extension, in the order of their first appearance, the member of each sample, or NONE.

    Members are numbered through all shards; `first_member` has the first number of each shard.
    """

    keys: list[str]
    members: dict[str, Indices]
    first_member: list[int]
    shard_of_sample: Indices
    skipped: list[Skipped]


@dataclass
class _Grouping:
    shards: Sequence[Members]
    origins: Sequence[str]
    keys: list[str] = field(default_factory=list)
    shard: list[int] = field(default_factory=list)
    rows: dict[str, tuple[list[int], list[int]]] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    first_member: list[int] = field(default_factory=list)

    def add(self, shard: int, first: int) -> None:
        current, sample, extensions = None, NONE, set[str]()
        origin = self.origins[shard]
        for number, name in enumerate(self.shards[shard].names, first):
            folder, slash, base = name.rpartition("/")
            stem, dot, extension = base.partition(".")
            if not stem or not dot or META.match(name):
                self.skipped.append(Skipped(f"{origin}: {key_of(name)}", "hidden file, or a name without an extension"))
                continue
            key, extension = folder + slash + stem, extension.lower()
            if key != current:
                if key in self.seen:
                    self._refuse_again(key, extension, number)
                current, sample, extensions = key, len(self.keys), set()
                self.seen[key] = sample
                self.keys.append(key)
                self.shard.append(shard)
            if extension in extensions:
                self._refuse_twice(name, extension, sample, number)
            extensions.add(extension)
            rows, members = self.rows.setdefault(extension, ([], []))
            rows.append(sample)
            members.append(number)

    def _refuse_again(self, key: str, extension: str, number: int) -> None:
        sample = self.seen[key]
        before = {name: members[rows.index(sample)] for name, (rows, members) in self.rows.items() if sample in rows}
        first, second = self._place(min(before.values())), self._place(number)
        if extension in before or self.shard[sample] != self._shard_of(number):
            raise DuplicateKeyError(f"sample {key!r} is there twice, in {first} and in {second}; remove one, or give it another name")
        raise CorruptStoreError(
            f"sample {key!r} is split: its files lie apart, in {first} and in {second}; pack the archive again in order (tar --sort=name)"
        )

    def _refuse_twice(self, name: str, extension: str, sample: int, number: int) -> None:
        rows, members = self.rows[extension]
        first, second = self._place(members[rows.index(sample)]), self._place(number)
        raise DuplicateKeyError(f"member {name!r} is there twice, in {first} and in {second}; remove one, or give it another name")

    def _shard_of(self, number: int) -> int:
        return int(np.searchsorted(self.first_member, number, side="right")) - 1

    def _place(self, number: int) -> str:
        shard = self._shard_of(number)
        return f"{self.origins[shard]} at byte {self.shards[shard].header[number - self.first_member[shard]]}"


def samples_of(shards: Sequence[Members], origins: Sequence[str]) -> Samples:
    """Return the samples of all shards, in order; `origins` name the shards in errors.

    Raises DuplicateKeyError for a sample or a member that is there twice, CorruptStoreError for a sample whose files lie apart, naming
    both places.
    """
    grouping, first = _Grouping(shards, origins), 0
    for shard, members in enumerate(shards):
        grouping.first_member.append(first)
        grouping.add(shard, first)
        first += len(members.names)
    found = {extension: np.full(len(grouping.keys), NONE, np.int64) for extension in grouping.rows}
    for extension, (rows, members_of) in grouping.rows.items():
        found[extension][rows] = members_of
    keys = [key_of(key) for key in grouping.keys]
    return Samples(keys, found, grouping.first_member, np.array(grouping.shard, np.int64), grouping.skipped)
