"""The native core's functions in NumPy and Pillow: the oracle of the tests, and what runs where the core cannot be built.

`native/python/pixstore_native.pyi` says what each function returns; `io` and `threads` have no effect. Pillow is given only the parts of a
file that make pixels, after the header has passed the limits; 16-bit PNGs, of which Pillow drops half the bits, are decoded here.
"""

from __future__ import annotations

from pixstore.reference.encoding import encode
from pixstore.reference.files import check_tiles, hash_file_tiles, stat_files
from pixstore.reference.hashes import addresses, hash_bytes, hash_strings, hash_tiles
from pixstore.reference.ingest import ingest
from pixstore.reference.machine import info, release, usable_cpus
from pixstore.reference.pixels import decode, probe
from pixstore.reference.places import check, checksum, fetch
from pixstore.reference.view import load

__all__ = [
    "addresses",
    "check",
    "check_tiles",
    "checksum",
    "decode",
    "encode",
    "fetch",
    "hash_bytes",
    "hash_file_tiles",
    "hash_strings",
    "hash_tiles",
    "info",
    "ingest",
    "load",
    "probe",
    "release",
    "stat_files",
    "usable_cpus",
]
