"""Runs cargo for `make test` and `make check`; where the native core cannot be built, says so in one line."""

from __future__ import annotations

import os
import subprocess
import sys

import toolchain

# The release profile shares its compiled libraries with the build of the wheel.
STEPS = {
    "test": [["cargo", "test", "--release", "--locked", "--quiet"]],
    "check": [
        ["cargo", "fmt", "--check"],
        ["cargo", "clippy", "--release", "--locked", "--quiet", "--all-targets", "--", "-D", "warnings"],
    ],
}


def main(verb: str) -> int:
    if os.environ.get("PIXSTORE_CORE") == "reference":
        print(f"native {verb}: left out, PIXSTORE_CORE=reference")
        return 0
    obstacle = toolchain.native_obstacle()
    if obstacle is not None:
        print(f"native {verb}: left out: {obstacle}")
        return 1 if toolchain.native_forced() else 0
    for command in STEPS[verb]:
        print(f"native {verb}: {' '.join(command)}", flush=True)
        done = subprocess.run(command, cwd=toolchain.NATIVE, env=toolchain.environment(), stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
