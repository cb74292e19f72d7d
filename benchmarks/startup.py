"""How long `import pixstore` and `pixstore --help` take: the median of fresh processes. Run it with the project's Python."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 15
COMMANDS = {
    "python, nothing imported": (["-c", "pass"], None),
    "import pixstore": (["-c", "import pixstore"], 0.3),
    "pixstore --help": (["-c", "import sys; from pixstore.cli.main import main; sys.exit(main(['--help']))"], 0.5),
}


def seconds(arguments: list[str]) -> float:
    """Return the wall-clock time of one fresh process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> int:
    slow = False
    for name, (arguments, limit) in COMMANDS.items():
        seconds(arguments)
        runs = sorted(seconds(arguments) for _ in range(RUNS))
        median = statistics.median(runs)
        slow = slow or (limit is not None and median >= limit)
        promised = "" if limit is None else f", promised below {limit} s"
        print(f"{name}: {median:.3f} s (of {RUNS}: {runs[0]:.3f} to {runs[-1]:.3f} s){promised}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
