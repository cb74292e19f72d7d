"""The fault programs are a package, `faults`: its tests find it as `make torture` does."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
