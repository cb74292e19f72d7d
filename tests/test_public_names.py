"""`import pixstore`: the names users hold, resolved at first use, and a module that shares its name with a function."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pixstore

PROJECT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", pixstore.__all__)
def test_public_name_resolves(name: str) -> None:
    assert getattr(pixstore, name) is not None
    assert name in dir(pixstore)


def test_names_that_users_were_promised_are_there() -> None:
    assert {"Writer", "open", "convert", "export", "Dataset", "Sample", "Batch"} <= set(pixstore.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = pixstore.nonsense


def test_version_is_the_one_the_package_is_built_with() -> None:
    stated = re.search(r'^version = "(.+)"$', (PROJECT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert stated is not None
    assert pixstore.__version__ == stated[1]


@pytest.mark.parametrize(
    "first", ["import pixstore.convert", "import pixstore.bench", "from pixstore.convert import convert", "import pixstore.cli.convert"]
)
def test_convert_stays_a_function_whatever_was_imported_before(first: str) -> None:
    ask = f"{first}; import pixstore; assert callable(pixstore.convert), pixstore.convert; assert callable(pixstore.open)"
    subprocess.run([sys.executable, "-c", ask], check=True)


@pytest.mark.parametrize("first", ["import pixstore.export", "from pixstore.export import export", "import pixstore.cli.export"])
def test_export_stays_a_function_whatever_was_imported_before(first: str) -> None:
    subprocess.run([sys.executable, "-c", f"{first}; import pixstore; assert callable(pixstore.export), pixstore.export"], check=True)


def test_import_alone_loads_no_library() -> None:
    ask = "import sys; before = set(sys.modules); import pixstore; print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    heavy = {"numpy", "pyarrow", "PIL", "h5py", "lmdb", "matplotlib", "typer", "rich", "xxhash", "pixstore_native"}
    assert "pixstore" in done.stdout.split()
    assert not heavy & set(done.stdout.split())
