"""What verbs that read a SOURCE share: its address or the address of each field, and what a user may state of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

import pixstore
from pixstore.cli.console import Meter
from pixstore.errors import InvalidInputError
from pixstore.manifest import is_store
from pixstore.naming import Stated, files_named, source_arguments, source_words

Unmatched: TypeAlias = Literal["refuse", "skip"]
ChannelOrder: TypeAlias = Literal["rgb", "bgr"]

FieldOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="NAME=SOURCE",
        help="One field of several that lie apart, in place of SOURCE: --field image=photos/ --field mask=masks/. They are joined by "
        "key or file stem; keys and labels are those of the first.",
    ),
]
UnmatchedOption: TypeAlias = Annotated[
    Unmatched, typer.Option(help="What becomes of an image without mask, or a mask without image: an error that lists them, or left out.")
]
ChannelOrderOption: TypeAlias = Annotated[
    ChannelOrder | None,
    typer.Option("--channel-order", help="Order of colours in arrays that do not say it.", show_default=False),
]
SourceArgument: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE",
        help="A store, or data of a known layout; also file.h5::/group/images, train-{000..011}.tar. With --field, leave it out.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Named:
    """A source as the command line names it, with what is stated of it."""

    source: str | dict[str, str]
    label_from: str | None = None
    channel_order: ChannelOrder | None = None
    unmatched: Unmatched = "refuse"

    @property
    def words(self) -> str:
        """The source in one line."""
        return source_words(self.source)

    @property
    def arguments(self) -> list[str]:
        """The source as arguments of another verb."""
        return source_arguments(self.source, self.options())

    @property
    def paths(self) -> list[Path]:
        """The files and folders that it names."""
        return [path for each in files_named(self.source).values() for path in each]

    @property
    def is_store(self) -> bool:
        """Whether it is a store, which says everything of itself."""
        return isinstance(self.source, str) and is_store(Path(self.source))

    def options(self) -> Stated:
        """Return what is stated, as keywords."""
        return {"label_from": self.label_from, "channel_order": self.channel_order, "unmatched": self.unmatched}

    def open(self, *, quiet: bool = False) -> pixstore.Dataset:
        """Open it; listing a large folder shows how far it is."""
        with Meter("listing", unit="files", quiet=quiet) as meter:
            return pixstore.open(self.source, progress=meter.update, **self.options())


def named(
    source: str | None,
    field: Sequence[str] | None = None,
    *,
    label_from: str | None = None,
    channel_order: ChannelOrder | None = None,
    unmatched: Unmatched = "refuse",
) -> Named:
    """Return what SOURCE, or --field, names. Raises InvalidInputError where it is neither or both."""
    if field and source is not None:
        raise InvalidInputError(f"SOURCE {source!r} and --field are two ways to say where the images lie; leave one of them out")
    if source is None and not field:
        raise InvalidInputError("no SOURCE: name where the images lie, or each field with --field NAME=SOURCE; see --help")
    where = fields_named(field) if field else source
    assert where is not None
    return Named(where, label_from, channel_order, unmatched)


def fields_named(field: Sequence[str]) -> dict[str, str]:
    """Return where each field lies. Raises InvalidInputError for what is not NAME=SOURCE, and for a name that comes twice."""
    places: dict[str, str] = {}
    for each in field:
        name, equals, place = each.partition("=")
        if not (name and equals and place):
            raise InvalidInputError(f"--field {each!r} is not NAME=SOURCE; write --field image=photos/ --field mask=masks/")
        if name in places:
            raise InvalidInputError(f"--field {name!r} comes twice: {places[name]} and {place}; each field lies in one place")
        places[name] = place
    return places


def shifted(field: Sequence[str] | None, source: str | None, rest: str | None, *, last: str) -> tuple[str | None, str]:
    """Return SOURCE and the argument after it, called `last`: with --field there is no SOURCE, so the first argument is that one.

    Raises InvalidInputError where there are too few or too many.
    """
    if field:
        if rest is not None:
            raise InvalidInputError(f"with --field there is no SOURCE: give {last} alone, not {source!r} and {rest!r}")
        source, rest = None, source
    if rest is None:
        raise InvalidInputError(f"no {last} is given{'' if field or source is None else f' after SOURCE {source!r}'}; see --help")
    return source, rest
