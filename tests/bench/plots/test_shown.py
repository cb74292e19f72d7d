from __future__ import annotations

from pixstore.bench import Results, Spread
from pixstore.bench.lab.chart import Chart
from pixstore.bench.measurements import Observation
from pixstore.bench.plots.shown import place_text, shown, word_of

THREADS = Chart("threads", "Threads", "threads", "seconds", "lines")


def answer(way: str, threads: int, kind: str = "lmdb", seconds: float = 1.0, error: str | None = None) -> Observation:
    spread = None if error else Spread.of([seconds * 0.9, seconds, seconds * 1.1])
    return Observation("q", way, 100, {"threads": threads, "kind": kind, "batch": 64}, spread, {}, {}, error)


def test_what_varies_beside_the_axis_makes_series_and_what_does_not_stays_out_of_their_names(measured: Results) -> None:
    answers = [answer("lmdb/raw", 2, "warm"), answer("lmdb/raw", 1, "warm"), answer("lmdb/raw", 1, "cold"), answer("packed/png", 1, "cold")]
    what = shown(measured, THREADS, answers)
    assert [series.label for series in what.series] == ["LMDB + raw, warm", "LMDB + raw, cold", "packed + PNG, cold"]
    assert what.places == (1, 2)


def test_a_setting_that_goes_with_the_place_makes_no_series(measured: Results) -> None:
    what = shown(measured, THREADS, [answer("lmdb/raw", 1, "slow"), answer("lmdb/raw", 2, "fast")])
    assert [series.label for series in what.series] == ["LMDB + raw"]


def test_a_setting_that_only_tells_ways_apart_makes_no_series(measured: Results) -> None:
    what = shown(measured, THREADS, [answer("lmdb/raw", 1, "8 at once"), answer("packed/png", 1, "9 at once")])
    assert [series.label for series in what.series] == ["LMDB + raw", "packed + PNG"]


def test_values_far_apart_are_logarithmic_but_never_with_a_zero(measured: Results) -> None:
    near, far, zero = ([answer("lmdb/raw", 1, seconds=1.0), answer("lmdb/raw", 2, seconds=other)] for other in (15.0, 25.0, 0.0))
    assert [shown(measured, THREADS, answers).is_log for answers in (near, far, [*far, *zero])] == [False, True, False]
    asked = Chart("threads", "Threads", "threads", "seconds", "lines", is_log=True)
    assert shown(measured, asked, near).is_log


def test_points_without_a_value_are_told_apart_by_their_reason(measured: Results) -> None:
    answers = [answer("lmdb/raw", 1, error="OSError: gone"), answer("lmdb/raw", 2, error="not measured: no time"), answer("lmdb/raw", 4)]
    (series,) = shown(measured, THREADS, answers).series
    assert [each.place for each in series.lost("failed")] == [1]
    assert [each.place for each in series.lost("not measured")] == [2]
    assert word_of("not measured: no time") == "not measured"


def test_a_tip_says_the_value_its_interval_and_the_repeats(measured: Results) -> None:
    what = shown(measured, THREADS, [answer("lmdb/raw", 2), answer("lmdb/raw", 4, error="OSError: gone")])
    (series,) = what.series
    assert [what.tip(series, each) for each in series.points] == [
        "LMDB + raw, threads 2: 1 s (900 ms – 1.1 s, 3 repeats)",
        "LMDB + raw, threads 4: failed",
    ]


def test_places_are_words_and_numbers_have_their_axis() -> None:
    assert [place_text("batch", place) for place in ("all", 4096, 0.5)] == ["all", "batch 4,096", "batch 0.5"]
