"""What decay does to files: bytes flipped, files cut or gone, records changed for one another, pages zeroed or written twice."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faults.rot_store import Span, Truth

PAGE_BYTES = 4096
MOST_FLIPPED = 8
KINDS = ("flip", "truncate", "remove", "swap", "zero page", "duplicate page")
# Small files are hit as often as large ones: chance decides on the sort first, then on the file.
SORTS = {"manifest": 2, "versions": 1, "tables": 3, "keys": 2, "pixels": 8, "splits": 1}

Contents = Mapping[str, bytes]


@dataclass(frozen=True)
class Fault:
    """Damage to the files of a store: what each damaged file holds afterwards, None where it is gone."""

    kind: str
    sort: str
    after: Mapping[str, bytes | None] = field(repr=False)
    words: str

    def damaged(self, before: Contents, spans: Sequence[Span]) -> set[Span]:
        """Return the records whose bytes are not those that were written."""
        return {span for span in spans if span.file in self.after and self._changes(before[span.file], self.after[span.file], span)}

    def is_within(self, before: Contents, spans: Sequence[Span]) -> bool:
        """Return whether every changed byte is one of these records', sizes as they were."""
        for name, data in self.after.items():
            if data is None or len(data) != len(before[name]):
                return False
            rest = bytearray(len(data))
            for span in spans:
                if span.file == name:
                    rest[span.start : span.stop] = b"\1" * (span.stop - span.start)
            if any(old != new and not inside for old, new, inside in zip(before[name], data, rest, strict=True)):
                return False
        return True

    @staticmethod
    def _changes(before: bytes, after: bytes | None, span: Span) -> bool:
        return after is None or before[span.start : span.stop] != after[span.start : span.stop]

    def apply(self, store: Path) -> None:
        for name, data in self.after.items():
            (store / name).unlink() if data is None else (store / name).write_bytes(data)

    def restore(self, store: Path, before: Contents) -> None:
        for name in self.after:
            (store / name).write_bytes(before[name])


def sort_of(file: str) -> str:
    if file == "manifest.json":
        return "manifest"
    if file.startswith("versions/"):
        return "versions"
    if file.startswith("splits/"):
        return "splits"
    return {".arrow": "tables", ".keys": "keys"}.get(Path(file).suffix, "pixels")


def draw(generator: random.Random, kind: str, before: Contents, truth: Truth) -> Fault:
    """Return a random fault of this kind that changes at least one byte."""
    while True:
        sort, after, words = _drawn(generator, kind, before, truth)
        if any(after[name] != before[name] for name in after):
            return Fault(kind, sort, {name: data for name, data in after.items() if data != before[name]}, words)


def _drawn(generator: random.Random, kind: str, before: Contents, truth: Truth) -> tuple[str, dict[str, bytes | None], str]:
    if kind == "swap":
        return "pixels", *_swapped(generator, before, truth.spans)
    by_sort: dict[str, list[str]] = {}
    for name, data in before.items():
        if kind in ("flip", "truncate", "remove") or len(data) >= 2 * PAGE_BYTES:
            by_sort.setdefault(sort_of(name), []).append(name)
    if not by_sort:
        # Each record has a file of its own, and none has two pages: a page goes with the whole file.
        by_sort = {"pixels": [name for name in before if sort_of(name) == "pixels"]}
    if kind == "remove":
        # An older version that is gone is a version that was forgotten, as gc does; only the current one's file must be there.
        by_sort["versions"] = [f"versions/{truth.current:08}.json"]
    sort = generator.choices(list(by_sort), [SORTS[each] for each in by_sort])[0]
    name = generator.choice(by_sort[sort])
    data, words = DAMAGE[kind](generator, before[name])
    return sort, {name: data}, f"{name}: {words}"


def _flipped(generator: random.Random, data: bytes) -> tuple[bytes, str]:
    count = min(generator.randint(1, MOST_FLIPPED), len(data))
    start = generator.randrange(len(data) - count + 1)
    changed = bytes(each ^ generator.randint(1, 255) for each in data[start : start + count])
    return data[:start] + changed + data[start + count :], f"{count} bytes flipped from byte {start:,}"


def _truncated(generator: random.Random, data: bytes) -> tuple[bytes, str]:
    # Cuts near the end and at pages are what copies and file systems leave.
    size = generator.choice([generator.randrange(len(data)), len(data) - generator.randint(1, min(16, len(data)))])
    if generator.random() < 0.3:
        size -= size % PAGE_BYTES
    return data[:size], f"cut to {size:,} of {len(data):,} bytes"


def _removed(generator: random.Random, data: bytes) -> tuple[None, str]:
    return None, "removed"


def _page(generator: random.Random, data: bytes) -> int:
    return generator.randrange(max(1, len(data) // PAGE_BYTES)) * PAGE_BYTES


def _zeroed(generator: random.Random, data: bytes) -> tuple[bytes, str]:
    start = _page(generator, data)
    zeros = bytes(min(PAGE_BYTES, len(data) - start))
    return data[:start] + zeros + data[start + len(zeros) :], f"a page of zeros at byte {start:,}"


def _duplicated(generator: random.Random, data: bytes) -> tuple[bytes, str]:
    source, target = _page(generator, data), _page(generator, data)
    if len(data) < 2 * PAGE_BYTES:
        half = len(data) // 2
        return data[:half] + data[:half] + data[2 * half :], "its first half twice"
    page = data[source : source + PAGE_BYTES]
    return data[:target] + page + data[target + PAGE_BYTES :], f"the page at byte {source:,} at byte {target:,} too"


DAMAGE = {"flip": _flipped, "truncate": _truncated, "remove": _removed, "zero page": _zeroed, "duplicate page": _duplicated}


def _swapped(generator: random.Random, before: Contents, spans: Sequence[Span]) -> tuple[dict[str, bytes | None], str]:
    """Change two records of one length for each other, as a confused index or a misdirected write does."""
    first = generator.choice(spans)
    second = generator.choice([each for each in spans if each.stop - each.start == first.stop - first.start])
    after = {name: bytearray(before[name]) for name in (first.file, second.file)}
    after[first.file][first.start : first.stop] = before[second.file][second.start : second.stop]
    after[second.file][second.start : second.stop] = before[first.file][first.start : first.stop]
    return {name: bytes(data) for name, data in after.items()}, f"the records of {first.key!r} and {second.key!r} in each other's place"
