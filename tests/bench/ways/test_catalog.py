from __future__ import annotations

import pytest

from pixstore.bench.ways import catalog
from pixstore.errors import InvalidInputError


def test_defaults_fit_the_images_and_show_one_thread() -> None:
    first_look = catalog.default_names(is_built_in=True, is_encoded=False)
    arrays = catalog.default_names(is_built_in=False, is_encoded=False)
    encoded = catalog.default_names(is_built_in=False, is_encoded=True)
    engines = ("packed", "files", "lmdb", "hdf5")
    assert {f"{engine}/{codec}" for engine in engines for codec in ("raw", "png")} <= set(arrays)
    assert {"source", *(f"{engine}/keep" for engine in engines)} <= set(encoded)
    for names in (first_look, arrays, encoded):
        assert set(catalog.TUTORIAL) <= set(names)
        assert any("@1thread" in name for name in names)
        catalog.check(names, has_source=True)
        assert [catalog.find(name, catalog.TUTORIAL["tutorial-png"], 2) for name in names]


UNKNOWN = [
    ([], "name some"),
    (["packed/png"] * 2, "twice"),
    (["nothing/png"], "no engine 'nothing'"),
    (["png"], "no way 'png'"),
]


@pytest.mark.parametrize(("names", "match"), UNKNOWN)
def test_unknown_and_double_names_are_refused(names: list[str], match: str) -> None:
    with pytest.raises(InvalidInputError, match=match):
        catalog.check(names, has_source=True)


def test_the_source_needs_a_source() -> None:
    with pytest.raises(InvalidInputError, match="needs a SOURCE"):
        catalog.check(["source"], has_source=False)
