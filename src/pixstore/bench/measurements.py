"""What a run measured, as files: results.json, format 1, which all tables, plots and reports are drawn from; and results.csv."""

from __future__ import annotations

import csv
import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from pixstore.bench import naming
from pixstore.bench.statistics import Spread
from pixstore.errors import IncompatibleStoreError, InvalidInputError, PathNotFoundError

FORMAT = 1
JSON_NAME = "results.json"
CSV_HEADS = ("experiment", "way", "title", "images", "median_s", "min_s", "max_s", "runs", "apparent_bytes", "allocated_bytes", "error")
CSV_NAME = "results.csv"
Value: TypeAlias = str | int | float
"""Where an axis stands in one cell."""
Kinds: TypeAlias = dict[str, type | tuple[type, ...]]
SOURCE_KINDS: Kinds = {"name": str, "images": int, "shapes": int, "largest": list, "notes": list}
RUN_KINDS: Kinds = {"repeats": int, "seconds": (int, float), "budget_seconds": (int, float), "max_disk_bytes": int}
RUN_KINDS |= {"ways": dict, "limits": dict, "conditions": list, "notes": list, "differences": list}
RUN_KINDS |= {"suite": list, "lab": dict}
LARGEST_JSON_BYTES = 64 << 20
MOST_IMAGES = 2**63 - 1


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
    seconds: Spread | None = None
    bytes: Bytes | None = None
    error: str | None = None


@dataclass(frozen=True)
class Observation:
    """One cell of a question of the lab: a way under one setting of what the question varies, or why it failed.

    setting: by axis, as {"order": "shuffled", "batch": 64}. seconds: for all `images`. measures: others, their unit in the name
    ("p99_seconds", "peak_private_bytes"), over the same repeats. proof: what shows that the setting held, of the last repeat.
    """

    question: str
    way: str
    images: int
    setting: dict[str, Value]
    seconds: Spread | None = None
    measures: dict[str, Spread] = field(default_factory=dict)
    proof: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass
class Measurements:
    """A run: the machine, the images, the conditions and every cell; `observations` are the cells of the lab's questions.

    `run` holds how it was measured: ways (title, threads), repeats, budget, the physical limits, notes, whether it was interrupted.
    """

    machine: dict[str, Any]
    source: dict[str, Any]
    run: dict[str, Any]
    cells: list[Cell] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)

    @property
    def ways(self) -> list[str]:
        """Every way, in the order asked."""
        return list(dict.fromkeys([*self.run.get("ways", {}), *(cell.way for cell in self.cells)]))

    def title(self, way: str) -> str:
        """What people call this way: "LMDB + PNG"."""
        return str(self.run.get("ways", {}).get(way, {}).get("title") or naming.title(way))

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

    def answers(self, question: str) -> list[Observation]:
        """Every cell of one question of the lab, in the order it was planned."""
        return [each for each in self.observations if each.question == question]

    def failures(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.error is not None]

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "machine": self.machine,
            "source": self.source,
            "run": self.run,
            "results": [asdict(cell) for cell in self.cells],
            "lab": [asdict(each) for each in self.observations],
        }

    @classmethod
    def from_json(cls, value: Any) -> Measurements:
        """Return the results of a parsed results.json. Raises InvalidInputError naming what does not fit."""
        if not isinstance(value, dict) or "results" not in value:
            raise InvalidInputError('not the results of a bench: no "results" in it')
        if value.get("format") != FORMAT:
            raise IncompatibleStoreError(f"results of format {value.get('format')!r}; this pixstore draws format {FORMAT}")
        try:
            cells = [_cell(each) for each in value["results"]]
            observations = [_observation(each) for each in value.get("lab", [])]
            machine, source, run = (_mapping(value, name) for name in ("machine", "source", "run"))
            _check_kinds(source, SOURCE_KINDS)
            _check_kinds(run, RUN_KINDS)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InvalidInputError(f"results that cannot be drawn: {error!r}") from error
        return cls(machine, source, run, cells, observations)

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


def load_measurements(path: Path) -> Measurements:
    """Return the results in this results.json, or in the folder that holds it.

    Raises PathNotFoundError where there is none, InvalidInputError where it is not one.
    """
    file = path / JSON_NAME if path.is_dir() else path
    if not file.is_file():
        raise PathNotFoundError(f"{path}: no {JSON_NAME} here; give the folder that `pixstore bench --out` wrote")
    if file.stat().st_size > LARGEST_JSON_BYTES:
        raise InvalidInputError(f"{file}: {file.stat().st_size} bytes, no results of a bench are that large")
    try:
        return Measurements.from_json(json.loads(file.read_text(encoding="utf-8")))
    except InvalidInputError as error:
        raise InvalidInputError(f"{file}: {error}") from error
    except (ValueError, RecursionError) as error:
        # Not only what is no JSON or no text: a number of too many digits is a plain ValueError.
        raise InvalidInputError(f"{file}: not JSON ({error}); give a {JSON_NAME} that `pixstore bench` wrote") from error


def _mapping(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = value.get(name, {})
    if not isinstance(part, dict):
        raise TypeError(f"{name!r} is a {type(part).__name__}, not an object")
    return part


def _check_kinds(part: dict[str, Any], kinds: Kinds) -> None:
    """Raise TypeError where a value that is calculated with is of another kind; what is missing has a default."""
    for name, kind in kinds.items():
        if name in part and not (isinstance(part[name], kind) and _is_finite(part[name])):
            raise TypeError(f"{name!r} is {part[name]!r}")
    for each in (*part.get("ways", {}).values(), *part.get("lab", {}).values(), part.get("limits", {})):
        if not isinstance(each, dict):
            raise TypeError(f"{each!r} is no object")
    for number in part.get("limits", {}).values():
        _time(number)


def _cell(value: Any) -> Cell:
    times, disk, error = value["seconds"], value["bytes"], value["error"]
    return Cell(
        str(value["experiment"]),
        str(value["way"]),
        _count(value["images"]),
        None if times is None else _seconds(times),
        None if disk is None else Bytes(int(disk["apparent"]), int(disk["allocated"])),
        None if error is None else str(error),
    )


def _observation(value: Any) -> Observation:
    setting, proof, seconds, error = (value[name] for name in ("setting", "proof", "seconds", "error"))
    if not isinstance(proof, dict) or any(not (isinstance(each, str | int | float) and _is_finite(each)) for each in setting.values()):
        raise TypeError(f"an observation whose setting is {setting!r} and whose proof is {proof!r}")
    measures = {str(name): _seconds(each) for name, each in value["measures"].items()}
    question, way, images = str(value["question"]), str(value["way"]), _count(value["images"])
    held = None if seconds is None else _seconds(seconds)
    return Observation(question, way, images, dict(setting), held, measures, proof, None if error is None else str(error))


def _seconds(value: Any) -> Spread:
    runs = tuple(map(_time, value["runs"]))
    if not runs:
        raise ValueError("a median of no repeats")
    return Spread(_time(value["median"]), _time(value["min"]), _time(value["max"]), runs)


def _count(value: Any) -> int:
    count = int(value)
    if not 0 <= count <= MOST_IMAGES:
        raise ValueError(f"{value!r} is no number of images")
    return count


def _is_finite(value: Any) -> bool:
    """Return whether it can be calculated with and drawn, if it is a number at all."""
    return not isinstance(value, int | float) or abs(value) <= sys.float_info.max


def _time(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{value!r} is no time in seconds")
    return number


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
