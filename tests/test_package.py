"""LazyPackage: a public name is imported on first use and stays what it is, whatever is imported later."""

from __future__ import annotations

import sys
from types import ModuleType

from pixstore.package import LazyPackage, make_lazy


def test_submodule_does_not_take_the_name_of_a_function() -> None:
    package = ModuleType("some_package")
    package.__dict__["_HOMES"] = {"convert": ("some_package.convert", "convert"), "codec": ("some_package.codec", None)}
    sys.modules["some_package"] = package
    try:
        make_lazy("some_package")
    finally:
        del sys.modules["some_package"]
    for name in ("convert", "codec", "writer"):
        setattr(package, name, ModuleType(name))
    assert isinstance(package, LazyPackage) and set(vars(package)) >= {"codec", "writer"} and "convert" not in vars(package)
    package.convert = print
    assert package.convert is print
