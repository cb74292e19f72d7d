"""BasicSR's LMDB by py-lmdb and Pillow, with a list that states a wrong size, and raw arrays with meta_info.pkl as before it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
databases = importlib.import_module("foreign_databases")


def make(folder: Path) -> None:
    databases.basicsr(folder / "gt.lmdb", 8)
    meta = folder / "gt.lmdb" / "meta_info.txt"
    meta.write_text(meta.read_text().replace("0003.png (12,10,3)", "0003.png (12,16,3)"))
    databases.basicsr(folder / "lq.lmdb", 8)
    databases.arrays(folder / "arrays.lmdb", 6)
