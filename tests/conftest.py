"""What every test gets: the core named in the header, repeatable property tests, and real data where it lies."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Without a compiled core the suite asks for the reference path by name: the warning about a missing core is for users.
if importlib.util.find_spec("pixstore_native") is None:
    os.environ.setdefault("PIXSTORE_CORE", "reference")

# Listings of large folders are kept for users; tests leave the cache of whoever runs them alone.
os.environ["PIXSTORE_LISTINGS"] = "off"

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
"""Real images and stores made by others; beside the project, never copied into it."""

# The frameworks are gigabytes: `make test-frameworks` has them in an environment of its own, where nothing is left out.
FRAMEWORKS = ("torch", "tensorflow", "jax", "keras", "guide", "foreign_readers")
APART = ["examples", "executors/test_ray_cluster.py", "layouts/test_mds_streaming.py", *(f"test_{name}.py" for name in FRAMEWORKS)]
collect_ignore = [] if os.environ.get("PIXSTORE_FRAMEWORKS") == "1" else APART

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", database=None, deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_report_header() -> str:
    """Name the core and say whether the real data is here."""
    core = os.environ.get("PIXSTORE_CORE", "native")
    return f"pixstore core: {core}; shared data: {'found' if SHARED.is_dir() else 'absent, tests on real files are skipped'}"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their length: the workers of `make test` must agree on names, and compressed bytes hold the time."""
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data; skip where it is absent, fail there with PIXSTORE_REQUIRE_SHARED=1."""
    if SHARED.is_dir():
        return SHARED
    if os.environ.get("PIXSTORE_REQUIRE_SHARED") == "1":
        pytest.fail("the folder ../shared/data is absent and PIXSTORE_REQUIRE_SHARED=1 asks for it")
    pytest.skip("the folder ../shared/data with real images is absent")
