"""pixstore: store, read, measure and train from lots of images in open formats."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pixstore.package import make_lazy

if TYPE_CHECKING:
    from pixstore import bench, codec, errors
    from pixstore.convert import ConvertReport, convert
    from pixstore.dataset import Dataset
    from pixstore.errors import PixstoreError
    from pixstore.opening import open_dataset as open
    from pixstore.samples import Batch, Sample
    from pixstore.schema import Field, Schema
    from pixstore.writer import Writer

__all__ = [
    "Batch",
    "ConvertReport",
    "Dataset",
    "Field",
    "PixstoreError",
    "Sample",
    "Schema",
    "Writer",
    "__version__",
    "bench",
    "codec",
    "convert",
    "errors",
    "open",
]

__version__ = "0.1.0"

# Each name is imported on first use: `import pixstore` alone loads no library.
_HOMES = {
    "Batch": ("pixstore.samples", "Batch"),
    "ConvertReport": ("pixstore.convert", "ConvertReport"),
    "Dataset": ("pixstore.dataset", "Dataset"),
    "Field": ("pixstore.schema", "Field"),
    "PixstoreError": ("pixstore.errors", "PixstoreError"),
    "Sample": ("pixstore.samples", "Sample"),
    "Schema": ("pixstore.schema", "Schema"),
    "Writer": ("pixstore.writer", "Writer"),
    "bench": ("pixstore.bench", None),
    "codec": ("pixstore.codec", None),
    "convert": ("pixstore.convert", "convert"),
    "errors": ("pixstore.errors", None),
    "open": ("pixstore.opening", "open_dataset"),
}

make_lazy(__name__)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pixstore' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    loaded = importlib.import_module(module)
    value = loaded if attribute is None else getattr(loaded, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
