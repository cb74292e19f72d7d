"""Errors: one tree, builtins where they fit, every bad row within reach of the message."""

from __future__ import annotations

import pytest

from pixstore import errors
from pixstore.errors import BadRow, CorruptRecordError


def everything() -> list[type[errors.PixstoreError]]:
    found, waiting = [], [errors.PixstoreError]
    while waiting:
        found.append(waiting.pop())
        waiting += found[-1].__subclasses__()
    return [each for each in found if each.__module__ == "pixstore.errors"]


@pytest.mark.parametrize("error", everything())
def test_every_error_is_drawn_in_the_tree_and_has_a_meaning(error: type[errors.PixstoreError]) -> None:
    assert error.__name__ in (errors.__doc__ or "") and error.__doc__


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.PathNotFoundError, FileNotFoundError),
        (errors.InvalidInputError, ValueError),
        (errors.DuplicateKeyError, ValueError),
        (errors.KeyNotFoundError, KeyError),
        (errors.RowNotFoundError, IndexError),
        (errors.DestinationExistsError, FileExistsError),
        (errors.StoreFullError, OSError),
        (errors.ReadOnlyError, OSError),
        (errors.DependencyError, ImportError),
    ],
)
def test_builtin_handlers_catch_what_they_should(error: type[Exception], builtin: type[Exception]) -> None:
    with pytest.raises(builtin):
        raise error("what happened")


def test_key_error_reads_as_a_sentence() -> None:
    assert str(errors.KeyNotFoundError("no sample with key 'a'")) == "no sample with key 'a'" and str(errors.KeyNotFoundError()) == ""


def test_record_error_shows_five_rows_and_holds_all() -> None:
    bad = [BadRow(row, f"k{row}", "a.bin" if row else "", "does not decode") for row in range(8)]
    error = CorruptRecordError("8 of 9 images cannot be read", bad)
    assert len(error.bad_rows) == 8 and "'k4' (row 4) in a.bin: does not decode" in str(error) and "'k5'" not in str(error)
    assert str(error).startswith("8 of 9 images cannot be read; 'k0' (row 0): does not decode") and str(error).endswith("… and 3 more")
    assert str(CorruptRecordError("", bad[:1])) == "'k0' (row 0): does not decode"
