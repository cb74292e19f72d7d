"""What holds of the training frameworks without any of them: they are optional, and whoever lacks one is told what to install."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
FRAMEWORKS = ("torch", "tensorflow", "jax", "keras")


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework_that_is_absent_is_an_error_that_says_what_to_install(name: str) -> None:
    code = (
        f"import sys; sys.modules[{name!r}] = None\n"
        "from pixstore.errors import DependencyError\n"
        f"try:\n    import pixstore.{name}\n"
        "except ImportError as error:\n    assert isinstance(error, DependencyError); print(error)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"pixstore.{name} needs '{name}'") and done.stdout.endswith(f"pip install 'pixstore[{name}]'\n")


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_each_framework_is_an_extra(name: str) -> None:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    assert any(requirement.startswith(name) for requirement in extras[name])


def test_a_dataset_and_its_loader_need_no_framework() -> None:
    code = "import sys, pixstore\npixstore.open\nassert not set(sys.modules) & {'torch', 'tensorflow', 'jax', 'keras'}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
