"""The dtype bfloat16, which NumPy has only where ml_dtypes is installed."""

from __future__ import annotations

from typing import Any

import numpy as np

from pixstore.errors import DependencyError

try:
    from ml_dtypes import bfloat16 as _scalar
except ImportError:
    _scalar = None


def bfloat16() -> np.dtype[Any]:
    """Return the dtype. Raises DependencyError where ml_dtypes is not installed."""
    if _scalar is None:
        raise DependencyError("dtype 'bfloat16' needs 'ml_dtypes': pip install 'pixstore[bfloat16]'")
    found: np.dtype[Any] = np.dtype(_scalar)
    return found
