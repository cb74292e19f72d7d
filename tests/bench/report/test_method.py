from __future__ import annotations

import pytest

from pixstore.bench import Results
from pixstore.bench.report import method


@pytest.mark.parametrize(
    ("most", "text"),
    [(None, "3 repeats, a budget"), (3, "3 repeats, a budget"), (20, "3 to 20 repeats, until each median is known within 5%")],
)
def test_repeats_are_told_as_they_were_asked(most: int | None, text: str, measured: Results) -> None:
    if most is not None:
        measured.run["most_repeats"] = most
    assert text in method.how(measured)


def test_every_cell_is_there_with_its_error(measured: Results) -> None:
    everything = method.everything(measured)
    assert everything is not None
    assert f"<summary>{len(measured.cells)} cells</summary>" in everything
    assert everything.count("&lt;b&gt;no space&lt;/b&gt;") == 4
    measured.cells = []
    assert method.everything(measured) is None


def test_the_machine_is_told_in_words(measured: Results) -> None:
    measured.machine["core_info"] = {"simd": "avx2", "libraries": {"deflate": "1.2"}}
    text = method.machine(measured)
    assert "<td>memory</td>" in text
    assert "8 GB" in text
    assert "simd avx2, libraries deflate 1.2" in text
