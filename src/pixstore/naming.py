"""How users name a source: an address, or the address of each field of several; and what they state of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict

from pixstore.address import Address
from pixstore.schema import ChannelOrder

Unmatched: TypeAlias = Literal["refuse", "skip"]
"""What becomes of samples that not every dataset has: an error that lists them, or they are left out and listed."""
Place: TypeAlias = str | os.PathLike[str]
SourceLike: TypeAlias = Place | Mapping[str, Place]
"""Where data lie: an address, or several by the field that each gives."""


class Stated(TypedDict, total=False):
    """What users may state of a source, as keywords of `open_dataset`."""

    label_from: str | None
    channel_order: ChannelOrder | None
    unmatched: Unmatched


def files_named(source: SourceLike) -> dict[str, tuple[Path, ...]]:
    """Return the paths that a source is named by, by field where several are joined, else for "".

    Raises what `Address.of` raises.
    """
    if not isinstance(source, Mapping):
        address = Address.of(source)
        return {"": address.files or (address.path,)}
    return {field: files_named(each)[""] for field, each in source.items()}


def source_words(source: SourceLike) -> str:
    """Return a source as it was named, in one line: `photos/`, or `image=photos/ mask=masks/`."""
    if not isinstance(source, Mapping):
        return os.fspath(source)
    return " ".join(f"{field}={os.fspath(each)}" for field, each in source.items())


def source_arguments(source: SourceLike, stated: Stated) -> list[str]:
    """Return how the command line names a source, and what is stated of it other than by default."""
    said = [f"--{name.replace('_', '-')}={value}" for name, value in said_of(stated).items()]
    if not isinstance(source, Mapping):
        return [argument(os.fspath(source)), *said]
    return [*(text for field, place in source.items() for text in ("--field", f"{field}={os.fspath(place)}")), *said]


def said_of(stated: Stated) -> dict[str, str]:
    """Return what is stated other than by default."""
    return {name: str(value) for name, value in stated.items() if value not in (None, "refuse")}


def argument(path: str) -> str:
    """Return a path that is not taken for an option."""
    return f"./{path}" if path.startswith("-") else path


def absolute(source: SourceLike) -> str | dict[str, str]:
    """Return an address, or each by its field, with paths made absolute."""
    return {field: os.path.abspath(each) for field, each in source.items()} if isinstance(source, Mapping) else os.path.abspath(source)
