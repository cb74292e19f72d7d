"""A conversion of a million files, killed -9 five times in its middle, finished by the same command, and compared with its source.

    python benchmarks/resume.py FOLDER [--engine lmdb] [--kills 5] [--seed 0] [--into FOLDER]

FOLDER is any source; `benchmarks/convert.py --into PLACE` leaves a million PNG files in PLACE/files. Each run is killed up to half a second
after it has committed something more than the run before. Prints what was done at each kill, the largest resident memory of any run and
what `pixstore compare` says; exits with 1 where the store is not equal to its source, or was not killed that often.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PROGRAM = (str(Path(sys.executable).with_name("pixstore")),)


class Run:
    """One run of the conversion; `peak` is its largest resident memory so far, in MB."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.peak = 0.0
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()

    def _watch(self) -> None:
        while self.process.poll() is None:
            try:
                status = Path(f"/proc/{self.process.pid}/status").read_text()
            except OSError:
                return
            self.peak = max(self.peak, *(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)
            time.sleep(0.1)

    def finish(self) -> dict[str, object]:
        """Wait for its end and return its report; {} where it was killed."""
        out, errors = self.process.communicate()
        self._watcher.join()
        if self.process.returncode not in (0, -signal.SIGKILL):
            raise SystemExit(f"the conversion failed: {errors}")
        report: dict[str, object] = json.loads(out) if out.strip() else {}
        return report


def done(store: Path) -> int:
    """Return how many samples the last commit of a conversion says are done."""
    try:
        job = json.loads((store / "manifest.json").read_bytes()).get("job") or {}
    except OSError:
        return 0
    return sum(each["stop"] - each["start"] if isinstance(each, dict) else each[1] - each[0] for each in job.get("ranges", ()))


def run(source: Path, store: Path, engine: str, kills: int, seed: int) -> bool:
    """Convert with kills, finish, compare; return whether all came out as it should."""
    chance = random.Random(seed)
    command = [*PROGRAM, "convert", str(source), str(store), "--engine", engine, "--quiet", "--json", "-"]
    peak, killed = 0.0, 0
    while killed < kills:
        before, one = done(store), Run(command)
        while one.process.poll() is None and done(store) <= before:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.5))
        one.process.kill()
        finished = bool(one.finish())
        peak = max(peak, one.peak)
        if finished:
            break
        killed += 1
        print(f"killed {killed}: {done(store):,} samples are done", flush=True)
    if not killed or done(store):
        last = Run(command)
        print({name: value for name, value in last.finish().items() if name in ("samples", "resumed", "seconds", "bytes_out")}, flush=True)
        peak = max(peak, last.peak)
    compared = subprocess.run([*PROGRAM, "compare", str(source), str(store)], check=False, text=True)
    print(f"peak memory {peak:,.0f} MB, killed {killed} times, compare ended with {compared.returncode}")
    return compared.returncode == 0 and killed == kills


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--engine", default="lmdb")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--into", type=Path, help="where the store is made; a temporary folder if not given")
    chosen = parser.parse_args()
    os.environ["PIXSTORE_LISTINGS"] = "off"
    with tempfile.TemporaryDirectory(dir=chosen.into) as folder:
        return 0 if run(chosen.source, Path(folder) / "store", chosen.engine, chosen.kills, chosen.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
