"""What a process gives up, shown in a process of its own; test_child.py shows what follows from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

import pytest

from pixstore.confinement import landlock_version

CONFINED = """
import resource, sys
from pixstore.confinement import confine
missing = confine([], memory_bytes=1 << 20, cpu_seconds=5)
print(missing)
for name in ("CPU", "NOFILE", "FSIZE", "CORE"):
    print(resource.getrlimit(getattr(resource, "RLIMIT_" + name)))
try:
    bytearray(64 << 20)
except MemoryError:
    print("no memory")
"""
LOWERED = """
import resource
from pixstore.confinement import confine
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
confine([], memory_bytes=1 << 30, cpu_seconds=5)
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def printed(program: str, *, before: Sequence[str] = ()) -> list[str]:
    return subprocess.run([*before, sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


def test_limits_are_set_and_what_is_missing_is_said() -> None:
    missing, *limits = printed(CONFINED)
    assert limits == ["(5, 6)", "(64, 64)", "(0, 0)", "(0, 0)", "no memory"]
    assert (missing == "[]") == (landlock_version() > 0)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to make a kernel without Landlock of this one")
def test_a_kernel_without_landlock_is_said_to_be_one() -> None:
    without = ["strace", "-f", "-o", os.devnull, "-e", "inject=landlock_create_ruleset:error=ENOSYS"]
    missing, *limits = printed(CONFINED, before=without)
    assert missing == "['access to other files and to the network']"
    assert limits[-1] == "no memory"


def test_limits_that_are_lower_already_stay() -> None:
    assert printed(LOWERED) == ["(20, 20)"]
