"""pixstore: store, read, measure and train from lots of images in open formats."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pixstore.package import make_lazy

if TYPE_CHECKING:
    from pixstore import bench, codec, errors
    from pixstore.cached import Cached, cached
    from pixstore.convert import ConvertReport, convert
    from pixstore.dataset import Dataset
    from pixstore.errors import PixstoreError
    from pixstore.export import ExportReport, export
    from pixstore.opening import open_dataset as open
    from pixstore.samples import Batch, Sample
    from pixstore.schema import Field, Schema
    from pixstore.trust.compare import Comparison, compare
    from pixstore.trust.findings import Finding, VerifyReport
    from pixstore.trust.repair import RepairReport, repair
    from pixstore.trust.verify import verify
    from pixstore.upkeep.store import Store
    from pixstore.writer import Writer

__all__ = [
    "Batch",
    "Cached",
    "Comparison",
    "ConvertReport",
    "Dataset",
    "ExportReport",
    "Field",
    "Finding",
    "PixstoreError",
    "RepairReport",
    "Sample",
    "Schema",
    "Store",
    "VerifyReport",
    "Writer",
    "__version__",
    "bench",
    "cached",
    "codec",
    "compare",
    "convert",
    "errors",
    "export",
    "open",
    "repair",
    "verify",
]

__version__ = "0.1.0"

# Each name is imported on first use: `import pixstore` alone loads no library.
_HOMES = {
    "Batch": ("pixstore.samples", "Batch"),
    "Cached": ("pixstore.cached", "Cached"),
    "Comparison": ("pixstore.trust.compare", "Comparison"),
    "ConvertReport": ("pixstore.convert", "ConvertReport"),
    "Dataset": ("pixstore.dataset", "Dataset"),
    "ExportReport": ("pixstore.export", "ExportReport"),
    "Field": ("pixstore.schema", "Field"),
    "Finding": ("pixstore.trust.findings", "Finding"),
    "PixstoreError": ("pixstore.errors", "PixstoreError"),
    "RepairReport": ("pixstore.trust.repair", "RepairReport"),
    "Sample": ("pixstore.samples", "Sample"),
    "Schema": ("pixstore.schema", "Schema"),
    "Store": ("pixstore.upkeep.store", "Store"),
    "VerifyReport": ("pixstore.trust.findings", "VerifyReport"),
    "Writer": ("pixstore.writer", "Writer"),
    "bench": ("pixstore.bench", None),
    "cached": ("pixstore.cached", "cached"),
    "codec": ("pixstore.codec", None),
    "compare": ("pixstore.trust.compare", "compare"),
    "convert": ("pixstore.convert", "convert"),
    "errors": ("pixstore.errors", None),
    "export": ("pixstore.export", "export"),
    "open": ("pixstore.opening", "open_dataset"),
    "repair": ("pixstore.trust.repair", "repair"),
    "verify": ("pixstore.trust.verify", "verify"),
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
