"""bfloat16: there where ml_dtypes is, and a hint where it is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pixstore.loader.bfloat16 import bfloat16

WITHOUT = """
import sys
sys.modules["ml_dtypes"] = None
from pixstore.loader.transforms import ToFloat
try:
    ToFloat("bfloat16")
except ImportError as error:
    print(error)
"""


def test_dtype_has_two_bytes_and_the_range_of_float32() -> None:
    pytest.importorskip("ml_dtypes")
    assert (bfloat16().name, bfloat16().itemsize) == ("bfloat16", 2)
    assert float(bfloat16().type(1e38)) == pytest.approx(1e38, rel=0.01)


def test_without_the_library_the_error_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "dtype 'bfloat16' needs 'ml_dtypes': pip install 'pixstore[bfloat16]'"
