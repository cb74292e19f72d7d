"""Proof that the fault tests can fail: pixstore is made worse in one place after the other, and each time a program must notice."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faults import plants
from faults.catching import (
    Plant,
    by_compacting_damage,
    by_ending_forks,
    by_eye,
    by_failed_sync,
    by_forks,
    by_full_disk,
    by_gc,
    by_kill,
    by_links,
    by_model,
    by_order,
    by_resume,
    by_rot,
    by_syscalls,
)
from faults.part import Part, Result
from faults.stage import nothing

Program = Callable[[str, str, Plant], list[str]]


@dataclass(frozen=True)
class Trap:
    """A program that must catch a planted fault, on this engine; `aim` is the operation, or the sort of files, it looks at."""

    program: Program
    engine: str
    aim: str = ""

    @property
    def name(self) -> str:
        return self.program.__name__.removeprefix("by_").replace("_", " ")

    def catch(self, plant: Plant) -> list[str]:
        """Return what the program finds; it may also be that nothing works any more."""
        return self.program(self.engine, self.aim, plant)

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(each for each in (self.engine, self.aim) if each)})"


PLANTED: dict[str, tuple[Plant, Sequence[Trap]]] = {
    "skip fsync of files": (plants.skip_sync_of_files, [Trap(by_order, "packed", "append"), Trap(by_order, "files", "update")]),
    "skip fsync of folders": (plants.skip_sync_of_folders, [Trap(by_order, "lmdb", "append")]),
    "rename before fsync": (plants.rename_before_sync, [Trap(by_order, "packed", "delete")]),
    "hide a failed fsync": (plants.hide_failed_syncs, [Trap(by_failed_sync, "packed", "append")]),
    "go on after an error": (plants.go_on_after_an_error, [Trap(by_full_disk, "packed", "append")]),
    "write the manifest in place": (
        plants.write_manifest_in_place,
        [Trap(by_order, "hdf5", "append"), Trap(by_syscalls, "packed", "delete")],
    ),
    "acknowledge before the commit": (
        plants.acknowledge_before_commit,
        [Trap(by_order, "packed", "append"), Trap(by_kill, "packed", "append")],
    ),
    "commit before the shards are there": (plants.commit_before_shards, [Trap(by_order, "packed", "append")]),
    "reuse an attempt's name": (plants.reuse_an_attempts_name, [Trap(by_model, "packed"), Trap(by_eye, "packed", "append")]),
    "off by one on resume": (plants.resume_one_row_later, [Trap(by_resume, "packed")]),
    "drop the record checksum": (plants.drop_the_record_checksum, [Trap(by_rot, "packed", "pixels")]),
    "drop the digest of tables": (plants.drop_the_digest_of_tables, [Trap(by_rot, "lmdb", "tables")]),
    "drop the digest of the manifest": (plants.drop_the_digest_of_the_manifest, [Trap(by_rot, "packed", "manifest")]),
    "repair loses without a word": (plants.lose_without_a_word, [Trap(by_rot, "packed", "tables, pixels")]),
    "swallow decode errors": (plants.swallow_decode_errors, [Trap(by_rot, "packed", "pixels")]),
    "return the neighbour": (plants.return_the_neighbour, [Trap(by_rot, "lmdb", "pixels")]),
    "zeros for a missing record": (plants.zeros_for_a_missing_record, [Trap(by_rot, "files", "remove")]),
    "follow links out of the file": (plants.follow_links_out_of_the_file, [Trap(by_links, "hdf5")]),
    "never grow the map": (plants.never_grow_the_map, [Trap(by_model, "lmdb")]),
    "share a handle over fork": (plants.share_a_handle_over_fork, [Trap(by_forks, "packed")]),
    "write from forked children": (plants.write_from_forked_children, [Trap(by_ending_forks, "hdf5")]),
    "take no lock": (plants.take_no_lock, [Trap(by_model, "packed")]),
    "lose a column": (plants.lose_a_column, [Trap(by_model, "files")]),
    "delete one more row": (plants.delete_one_more, [Trap(by_eye, "packed", "delete"), Trap(by_model, "lmdb")]),
    "gc takes borrowed pixels": (plants.collect_borrowed_pixels, [Trap(by_gc, "packed")]),
    "gc takes tagged versions": (plants.collect_tagged_versions, [Trap(by_model, "packed")]),
    "compact drops the last row": (plants.drop_the_last_row_of_a_compaction, [Trap(by_eye, "packed", "compact"), Trap(by_model, "packed")]),
    "compact switches before proving": (plants.switch_before_proving, [Trap(by_compacting_damage, "packed")]),
}
"""What is planted, and the programs that must catch it: each of them."""


def run(engine: str, op: str, trials: int, seed: int) -> list[Result]:
    """Plant the faults [seed, seed + trials), all with trials = 0; each of its traps must catch it, and must be silent without it."""
    chosen = list(PLANTED)[seed : seed + trials if trials else None]
    found = [_planted(name, number) for number, name in enumerate(chosen, seed)]
    began = time.perf_counter()
    traps = {str(trap): trap for name in chosen for trap in PLANTED[name][1]}
    false = tuple(
        f"seed {seed}: {name}: finds, with nothing planted, {each[0]}" for name, trap in traps.items() if (each := trap.catch(nothing))
    )
    return [*found, Result("planted", "", "", "nothing planted", len(traps), seed, time.perf_counter() - began, false)]


def _planted(name: str, number: int) -> Result:
    began = time.perf_counter()
    plant, traps = PLANTED[name]
    missed, counts = [], {}
    for trap in traps:
        try:
            caught = bool(trap.catch(plant))
        except Exception as error:
            missed.append(f"seed {number}: {trap} broke: {error!r}")
            continue
        counts[f"caught by {trap}"] = int(caught)
        if not caught:
            missed.append(f"seed {number}: not caught by {trap}")
    return Result("planted", "", "", name, len(traps), number, time.perf_counter() - began, tuple(missed), counts=counts)


def main() -> int:
    """Print the table: what was planted, which program caught it, and what that said."""
    for name in sys.argv[1:] or PLANTED:
        plant, traps = PLANTED[name]
        for trap in traps:
            began = time.perf_counter()
            found = trap.catch(plant)
            print(f"{name} | {trap} | {time.perf_counter() - began:.1f} s | {found[0][:160] if found else 'NOT CAUGHT'}", flush=True)
    return 0


PART = Part(
    "planted",
    "Planted faults",
    run,
    ("",),
    trials=0,
    short=4,
    explains="To prove that these tests can fail, pixstore is made worse in one place at a time, inside the process under test: an "
    "fsync is skipped, a checksum is not compared, a name is used twice, a lock is not taken. Each of the programs named must notice, and "
    "must find nothing where nothing is planted.",
    by_engine=False,
)

if __name__ == "__main__":
    sys.exit(main())
