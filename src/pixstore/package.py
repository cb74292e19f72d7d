"""A package whose public names are imported on first use and then stay what they are."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class LazyPackage(ModuleType):
    """A package that has a function `convert` in a module `convert`: importing the module leaves the name to the function."""

    def __setattr__(self, name: str, value: Any) -> None:
        # The import system binds every submodule to its package.
        if isinstance(value, ModuleType) and self.__dict__["_HOMES"].get(name, ("", None))[1] is not None:
            return
        super().__setattr__(name, value)


def make_lazy(package: str) -> None:
    """Have the package's `_HOMES` (public name → module and attribute, None for the module itself) win over its submodules."""
    sys.modules[package].__class__ = LazyPackage
