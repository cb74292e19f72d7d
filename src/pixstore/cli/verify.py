"""`pixstore verify`: whether a store holds exactly what was put in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, TypeAlias

import typer

import pixstore
from pixstore.cli.console import JsonOption, Meter, Output, QuietOption
from pixstore.cli.words import as_count, as_duration, as_size, printable
from pixstore.trust.findings import VerifyReport

SHOWN = 20

OnOption: TypeAlias = Annotated[str, typer.Option("--on", metavar="PLACE", help="threads, processes, ray or ray=ADDRESS.")]
WorkersOption: TypeAlias = Annotated[int | None, typer.Option(min=1, help="How many at once; as many as there are CPUs if not given.")]


def run(
    store: Annotated[str, typer.Argument(metavar="STORE", help="A store.")],
    sample: Annotated[str | None, typer.Option(metavar="SHARE", help="Read only this random share of the records: 1%, 0.05.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Which random share; another one each time if not given.")] = None,
    version: Annotated[str | None, typer.Option(metavar="N|TAG", help="Check this version alone, not all that are kept.")] = None,
    on: OnOption = "threads",
    workers: WorkersOption = None,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Prove that STORE holds every byte that was put in: whole files, every record, tables, indices, all versions.

    pixstore verify photos.pixstore

    pixstore verify photos.pixstore --sample 1%

    Ends with status 1 where something is damaged; `pixstore repair` then saves the rest.
    """
    output = Output(json, quiet)
    chosen = int(version) if version is not None and version.isascii() and version.isdigit() else version
    with Meter("verifying", quiet=quiet) as meter:
        report = pixstore.verify(store, sample=sample, seed=seed, version=chosen, on=on, workers=workers, progress=meter.update)
    for line in lines(report, store):
        output.say(line)
    output.finish(as_json(report))
    if not report.ok:
        raise typer.Exit(1)


def lines(report: VerifyReport, store: str) -> list[str]:
    """Return the report in words: the verdict first, then each finding, then what remains to be said."""
    told = [f"{printable(store)}: {verdict(report)}"]
    told += [f"  {printable(finding)}" for finding in report.findings[:SHOWN]]
    if len(report.findings) > SHOWN:
        told.append(f"  … and {len(report.findings) - SHOWN:,} more findings; --json FILE lists all")
    rate = report.bytes / max(report.seconds, 1e-9)
    told.append(f"read {as_size(report.bytes)} in {as_duration(report.seconds)} ({as_size(rate)}/s)")
    if report.share < 1:
        told.append(f"a random {report.share:.4g} of the records was read (--seed {report.seed}), and no file of pixels as a whole")
    if report.durability == "process":
        told.append("written with durability 'process': a power cut soon after a commit may have taken it back")
    if report.leftovers:
        size = sum(count for _, count in report.leftovers)
        files = f"{as_count(len(report.leftovers), 'file')} of no version ({as_size(size)})"
        told.append(f"{files}, left by interrupted writing; `pixstore gc` removes them")
    told += [f"note: {printable(note)}" for note in report.notes]
    return told


def verdict(report: VerifyReport) -> str:
    """Return in one line whether everything is as it was written."""
    kept = f"version {report.version}" + (f" and {as_count(len(report.versions) - 1, 'older one')}" if len(report.versions) > 1 else "")
    if report.ok:
        return f"{as_count(report.samples, 'sample')} proven, {kept}; everything is as it was written"
    if report.version is None:
        return "DAMAGED: no version can be read"
    lost = f"{as_count(report.damaged, 'sample')} of version {report.version} cannot be trusted"
    return f"DAMAGED: {as_count(len(report.findings), 'finding')}, {lost}"


def as_json(report: VerifyReport) -> dict[str, Any]:
    """Return the report as `--json` writes it."""
    found = {**asdict(report), "path": str(report.path), "ok": report.ok}
    return {**found, "leftovers": [{"file": name, "bytes": size} for name, size in report.leftovers]}
