"""What a run measured, as files: results.json, format 1, which all tables, plots and reports are drawn from; and results.csv."""

from __future__ import annotations

import csv
import json
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from pixstore.errors import IncompatibleStoreError, InvalidInputError, PathNotFoundError

FORMAT = 1
JSON_NAME = "results.json"
CSV_HEADS = ("experiment", "way", "title", "images", "median_s", "min_s", "max_s", "runs", "apparent_bytes", "allocated_bytes", "error")
CSV_NAME = "results.csv"
Kinds: TypeAlias = dict[str, type | tuple[type, ...]]
SOURCE_KINDS: Kinds = {"name": str, "images": int, "shapes": int, "largest": list, "notes": list}
RUN_KINDS: Kinds = {"repeats": int, "seconds": (int, float), "budget_seconds": (int, float), "max_disk_bytes": int}
RUN_KINDS |= {"ways": dict, "limits": dict, "conditions": list, "notes": list, "differences": list}
LARGEST_JSON_BYTES = 64 << 20


@dataclass(frozen=True)
class Seconds:
    """Times of one cell's repeats."""

    median: float
    min: float
    max: float
    runs: tuple[float, ...]

    @classmethod
    def of(cls, runs: Sequence[float]) -> Seconds:
        return cls(statistics.median(runs), min(runs), max(runs), tuple(runs))


@dataclass(frozen=True)
class Bytes:
    """Disk use: the sum of the files' lengths, and what the file system gave them."""

    apparent: int
    allocated: int


@dataclass(frozen=True)
class Cell:
    """One experiment of one way with one number of images: times, disk use, or why it failed."""

    experiment: str
    way: str
    images: int
    seconds: Seconds | None = None
    bytes: Bytes | None = None
    error: str | None = None


@dataclass
class Results:
    """A run: the machine, the images, the conditions and every cell.

    `run` holds how it was measured: ways (title, threads), repeats, budget, the physical limits, notes, whether it was interrupted.
    """

    machine: dict[str, Any]
    source: dict[str, Any]
    run: dict[str, Any]
    cells: list[Cell] = field(default_factory=list)

    @property
    def ways(self) -> list[str]:
        """Every way, in the order asked."""
        return list(dict.fromkeys([*self.run.get("ways", {}), *(cell.way for cell in self.cells)]))

    def title(self, way: str) -> str:
        """What people call this way: "LMDB + PNG"."""
        return str(self.run.get("ways", {}).get(way, {}).get("title", way))

    def cell(self, experiment: str, way: str, images: int) -> Cell | None:
        return next((cell for cell in self.cells if (cell.experiment, cell.way, cell.images) == (experiment, way, images)), None)

    def median(self, experiment: str, way: str, images: int) -> float | None:
        """Median seconds, None where it was not measured or failed."""
        cell = self.cell(experiment, way, images)
        return cell.seconds.median if cell and cell.seconds else None

    def cutoffs(self, experiment: str | None = None) -> list[int]:
        """Numbers of images measured, ascending."""
        return sorted({cell.images for cell in self.cells if experiment in (None, cell.experiment)})

    @property
    def differences(self) -> list[str]:
        """What was read back other than it was stored; a run with any has failed."""
        return [str(each) for each in self.run.get("differences", [])]

    def failures(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.error is not None]

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "machine": self.machine,
            "source": self.source,
            "run": self.run,
            "results": [asdict(cell) for cell in self.cells],
        }

    @classmethod
    def from_json(cls, value: Any) -> Results:
        """Return the results of a parsed results.json. Raises InvalidInputError naming what does not fit."""
        if not isinstance(value, dict) or "results" not in value:
            raise InvalidInputError('not the results of a bench: no "results" in it')
        if value.get("format") != FORMAT:
            raise IncompatibleStoreError(f"results of format {value.get('format')!r}; this pixstore draws format {FORMAT}")
        try:
            cells = [_cell(each) for each in value["results"]]
            machine, source, run = (_mapping(value, name) for name in ("machine", "source", "run"))
            _check_kinds(source, SOURCE_KINDS)
            _check_kinds(run, RUN_KINDS)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInputError(f"results that cannot be drawn: {error!r}") from error
        return cls(machine, source, run, cells)

    def save(self, folder: Path) -> None:
        """Write results.json and results.csv into the folder, each replaced in one step."""
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / JSON_NAME, json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")
        partial = folder / (CSV_NAME + ".partial")
        with open(partial, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(CSV_HEADS)
            writer.writerows(self._csv_row(cell) for cell in self.cells)
        os.replace(partial, folder / CSV_NAME)

    def _csv_row(self, cell: Cell) -> list[Any]:
        times = [cell.seconds.median, cell.seconds.min, cell.seconds.max, len(cell.seconds.runs)] if cell.seconds else ["", "", "", ""]
        disk = [cell.bytes.apparent, cell.bytes.allocated] if cell.bytes else ["", ""]
        return [cell.experiment, cell.way, self.title(cell.way), cell.images, *times, *disk, cell.error or ""]


def load(path: Path) -> Results:
    """Return the results in this results.json, or in the folder that holds it.

    Raises PathNotFoundError where there is none, InvalidInputError where it is not one.
    """
    file = path / JSON_NAME if path.is_dir() else path
    if not file.is_file():
        raise PathNotFoundError(f"{path}: no {JSON_NAME} here; give the folder that `pixstore bench --out` wrote")
    if file.stat().st_size > LARGEST_JSON_BYTES:
        raise InvalidInputError(f"{file}: {file.stat().st_size} bytes, no results of a bench are that large")
    try:
        return Results.from_json(json.loads(file.read_text(encoding="utf-8")))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{file}: not JSON ({error}); give a {JSON_NAME} that `pixstore bench` wrote") from error
    except InvalidInputError as error:
        raise InvalidInputError(f"{file}: {error}") from error


def _mapping(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = value.get(name, {})
    if not isinstance(part, dict):
        raise TypeError(f"{name!r} is a {type(part).__name__}, not an object")
    return part


def _check_kinds(part: dict[str, Any], kinds: Kinds) -> None:
    """Raise TypeError where a value that is calculated with is of another kind; what is missing has a default."""
    for name, kind in kinds.items():
        if name in part and not isinstance(part[name], kind):
            raise TypeError(f"{name!r} is {part[name]!r}")
    for each in (*part.get("ways", {}).values(), part.get("limits", {})):
        if not isinstance(each, dict):
            raise TypeError(f"{each!r} is no object")
    for number in part.get("limits", {}).values():
        _time(number)


def _cell(value: Any) -> Cell:
    times, disk, error = value["seconds"], value["bytes"], value["error"]
    return Cell(
        str(value["experiment"]),
        str(value["way"]),
        int(value["images"]),
        None if times is None else _seconds(times),
        None if disk is None else Bytes(int(disk["apparent"]), int(disk["allocated"])),
        None if error is None else str(error),
    )


def _seconds(value: Any) -> Seconds:
    return Seconds(_time(value["median"]), _time(value["min"]), _time(value["max"]), tuple(map(_time, value["runs"])))


def _time(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{value!r} is no time in seconds")
    return number


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
