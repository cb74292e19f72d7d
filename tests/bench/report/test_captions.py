from __future__ import annotations

import pytest

from pixstore.bench import Results, Spread
from pixstore.bench.measurements import Observation, Value
from pixstore.bench.report import captions


def answer(proof: dict[str, object] | None = None, **setting: Value) -> Observation:
    return Observation("q", "lmdb/raw", 100, dict(setting), Spread.of([1.0, 2.0]), {}, proof or {})


def test_cells_carry_images_threads_memory_and_repeats(measured: Results) -> None:
    cells = [cell for cell in measured.cells if cell.experiment == "read-many"]
    said = captions.of_cells(measured, cells)
    assert said == "1 to 1,000 images; threads: the tutorial's 1, the others 2; read from memory, right after storing; 5 repeats."
    assert "memory" not in captions.of_cells(measured, [cell for cell in measured.cells if cell.experiment == "disk"])


def test_answers_carry_what_is_the_same_for_all(measured: Results) -> None:
    found = [answer(order="shuffled", batch=64), answer(order="shuffled", batch=256)]
    assert captions.of_answers(measured, found) == "100 images; order: shuffled; 2 threads; 2 repeats."


def test_images_that_repeat_are_said_to(measured: Results) -> None:
    measured.source["sampled"] = 20
    assert captions.of_answers(measured, [answer(order="shuffled")]).startswith("100 images (20, repeated); order: shuffled")
    measured.source["sampled"] = 100
    assert captions.of_answers(measured, [answer(order="shuffled")]).startswith("100 images; order: shuffled")


def test_settings_that_say_how_many_work_are_not_contradicted(measured: Results) -> None:
    assert "thread" not in captions.of_answers(measured, [answer(workers=1), answer(workers=8)])


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (0, "from a cold cache, proven in the table"),
        (100, "from memory, proven in the table"),
        (50, "what lay in memory before is in the table"),
    ],
)
def test_the_state_of_the_cache_is_told_as_far_as_it_is_proven(before: int, text: str, measured: Results) -> None:
    found = [answer({"resident_before_pages": before, "pages": 100})]
    assert text in captions.of_answers(measured, found)
    cold = captions.of_answers(measured, [answer({"resident_before_pages": before, "pages": 100}, cache="cold")])
    most = f"at most {before} %" if before else "none"
    assert f"cache: cold; 2 threads; cold: {most} of the files' pages lay in memory before" in cold


def test_proofs_are_words() -> None:
    cold: dict[str, object] = {
        "resident_before_pages": 0, "resident_after_pages": 1812, "pages": 1812, "method": "mincore", "stayed": [],
    }  # fmt: skip
    assert captions.proof(cold) == "of 1,812 pages 0 lay in memory before, 1,812 after (mincore)"
    assert captions.proof({**cold, "stayed": ["a: mapped"]}).endswith("(mincore); stayed: a: mapped")
    assert captions.proof({"pages": {"overflow": 3, "leaf": 4}, "part": 0.25}) == "pages: overflow 3, leaf 4; part 0.25"
    assert captions.proof({}) == ""
