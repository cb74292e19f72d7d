"""A zip archive of image files: keys are the names in it, sub-folders are classes, train/val/test are splits, as in a folder.

Members that are stored are read in place; deflated ones are inflated when they are asked for, and compared with their CRC.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from pixstore.errors import BadRow, CorruptRecordError, NotAStoreError, PixstoreError
from pixstore.rows import Buffer, Extents, Indices, Records
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.source import Skipped, SourceOptions, SourceReport
from pixstore.sources.archives.zip_index import ZipMembers, is_zip, members_of, unpacked
from pixstore.sources.folders.class_folders import columns_of
from pixstore.sources.folders.image_names import METADATA_NAMES, is_image_name, key_of, why_left_out
from pixstore.sources.foreign_file import read_range, refuse_changed, state_of
from pixstore.sources.located import LocatedSource
from pixstore.sources.stated_sizes import formats_of

QUICK = (".png", ".jpg", ".jpeg")
UNKNOWN = Format(None, None, None)
MAC = "__MACOSX/"


class ZipImages(LocatedSource):
    """Images in a zip archive."""

    name: ClassVar[str] = "zip archive of images"
    takes: ClassVar[frozenset[str]] = frozenset({"label_from"})
    _members: ZipMembers
    _chosen: Indices

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is a zip archive; whether there are images in it, opening says."""
        return is_zip(path)

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> ZipImages:
        """Read the directory. Raises a PixstoreError that names archive, member and what is wrong with it."""
        state = state_of(path)
        members = members_of(path)
        report = SourceReport()
        chosen = _images(path, members.names, report)
        keys = pa.array([key_of(members.names[number]) for number in chosen.tolist()], pa.string())
        columns, classes = columns_of(keys, options.label_from, report)
        table = pa.table({KEY: keys, **columns})
        schema = Schema((Field(),), pa.schema([table.schema.field(name) for name in columns]), classes)
        place = Extents([str(path)], np.zeros(len(chosen), np.uint32), members.offset[chosen], members.stored[chosen])
        refuse_changed(path, state)
        # Looked at once here, not with each batch; of deflated members, and of other formats, when they are asked for.
        is_quick = not members.is_deflated[chosen].any() and all(
            members.names[number].lower().endswith(QUICK) for number in chosen.tolist()
        )
        formats = formats_of(place) if is_quick else [UNKNOWN]
        source = cls(schema, table, report, place=place, formats=formats, origin=str(path), states={str(path): state})
        source._members, source._chosen = members, chosen
        return source

    def locate(self, field: str, rows: Indices) -> Records | None:
        located = super().locate(field, rows)
        return None if self._members.is_deflated[self._chosen[rows]].any() else located

    def read(self, field: str, rows: Indices) -> Records:
        """Return these rows' files. Raises CorruptRecordError naming every row whose bytes are not those that the archive states."""
        named = super().locate(field, rows)
        assert named is not None
        found: list[Buffer] = []
        bad: list[BadRow] = []
        for record, member in enumerate(self._chosen[np.asarray(rows, np.int64)].tolist()):
            try:
                found.append(self._bytes(named, member))
            except (PixstoreError, ValueError) as error:
                bad.append(BadRow(*named.name(record), str(error)))
        if bad:
            raise CorruptRecordError(f"{len(bad)} records cannot be read", bad)
        return Records(found, named.formats, named.format, named.name)

    def _bytes(self, named: Records, member: int) -> bytes:
        assert isinstance(named.place, Extents)
        each = self._members
        data = read_range(named.place.paths[0], int(each.offset[member]), int(each.stored[member]))
        return unpacked(data, int(each.size[member]), int(each.crc[member]), is_deflated=bool(each.is_deflated[member]))


def _images(path: Path, names: Sequence[str], report: SourceReport) -> Indices:
    """Return the numbers of the members that are images, in the order of their keys. Raises NotAStoreError where none is."""
    chosen = []
    for number, name in enumerate(names):
        base = name.rpartition("/")[2]
        if is_image_name(base) and not name.startswith(MAC):
            chosen.append(number)
        else:
            report.skipped.append(Skipped(key_of(name), _why_left_out(name)))
    if not chosen:
        shown = ", ".join(repr(name) for name in names[:5]) or "nothing"
        raise NotAStoreError(f"{path}: a zip archive without images; it holds {shown}; what is in another archive must be unpacked first")
    return np.array(sorted(chosen, key=lambda number: names[number].encode("utf-8", "surrogatepass")), np.int64)


def _why_left_out(name: str) -> str:
    base = name.rpartition("/")[2]
    if base in METADATA_NAMES:
        return "metadata is read in folders, not in archives; unpack the archive, or give the file as label_from"
    return "hidden or system file" if name.startswith(MAC) else why_left_out(base)


SOURCE = ZipImages
