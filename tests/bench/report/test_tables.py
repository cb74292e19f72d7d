from __future__ import annotations

from dataclasses import replace

from pixstore.bench import Results, Spread
from pixstore.bench.lab.chart import Chart
from pixstore.bench.report import tables

CHART = Chart("order", "Order", "order", fixed={"access": "256 at once"})


def test_every_cell_of_a_chart_has_a_row_with_median_interval_and_repeats(asked: Results) -> None:
    table = tables.of_chart(asked, CHART, asked.answers("order"))
    assert table.count("<tr>") == 1 + 16
    name = "<td>PNG files, tutorial <code>tutorial-png</code></td>"
    assert f"{name}<td>in order</td><td>5,000</td><td>50,000</td><td>45,500 – 55,600</td><td>5</td>" in table


def test_images_that_repeat_are_said_to(asked: Results) -> None:
    asked.source["sampled"] = 20
    assert tables.of_chart(asked, CHART, asked.answers("order")).count("<td>5,000 (20, repeated)</td>") == 16


def test_a_failed_cell_has_its_reason_and_every_other_its_proof(asked: Results) -> None:
    table = tables.of_chart(asked, CHART, asked.answers("order"))
    assert '<td class="failed">failed</td>' in table
    assert '<td class="reason">OSError: &lt;b&gt;gone&lt;/b&gt;</td>' in table
    assert table.count('<td class="reason">pages 812</td>') == 15
    bare = [replace(each, proof={}) for each in asked.answers("order") if each.error is None]
    assert "reason" not in tables.of_chart(asked, CHART, bare)


def test_settings_that_vary_have_a_column(asked: Results) -> None:
    table = tables.of_chart(asked, Chart("order", "Order", "order"), asked.answers("order"))
    assert "<th>access</th><th>order</th>" in table
    assert "not measured" in table


def test_times_and_bytes_of_the_classic_experiment_have_theirs(measured: Results) -> None:
    disk = [cell for cell in measured.cells if cell.experiment == "disk"]
    store = [cell for cell in measured.cells if cell.experiment == "store-many"]
    assert tables.of_times(measured, store).count("<tr>") == 1 + 16
    assert tables.of_times(measured, store).count("&lt;b&gt;no space&lt;/b&gt;") == 1
    assert "<td>1,000</td><td>2.3 MB</td><td>4.1 MB</td><td>4.1 kB</td>" in tables.of_bytes(measured, disk)
    assert tables.of_bytes(measured, disk).count("&lt;b&gt;no space&lt;/b&gt;") == 1


def test_the_best_time_and_few_repeats_are_marked(measured: Results) -> None:
    measured.run["repeats"] = 8
    cell = measured.cells[0]
    assert cell.seconds is not None
    best = str(tables.time_cell(measured, cell, cell.seconds.median))
    assert best.startswith('<td class="best">')
    assert "×5" in best
    assert tables.time_cell(measured, replace(cell, seconds=None)) == "–"
    assert tables.time_cell(measured, None) == "–"
    assert "×" not in tables.time_cell(measured, replace(cell, seconds=Spread.of([1.0] * 8)))
