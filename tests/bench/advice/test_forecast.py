"""What a conversion is foretold to take, held against the conversion."""

from __future__ import annotations

from pathlib import Path

import pytest

import pixstore
from pixstore.bench.advice.forecast import forecast
from pixstore.bench.advice.survey import survey


@pytest.mark.parametrize(("engine", "codec"), [("packed", "keep"), ("hdf5", "raw")])
def test_bytes_are_those_of_the_conversion_and_nothing_is_left(engine: str, codec: str, photos: Path, tmp_path: Path) -> None:
    found = survey(photos)
    before = sorted(tmp_path.iterdir())
    expected = forecast(found, tmp_path / "store", engine, codec, None, cpus=2, seconds=0.05)
    assert sorted(tmp_path.iterdir()) == before
    report = pixstore.convert(photos, tmp_path / "store", engine=engine, codec=codec, workers=2)
    assert (expected.samples, expected.bytes_in) == (report.samples, report.bytes_in)
    assert abs(expected.bytes_out - report.bytes_out) <= 0.03 * report.bytes_out + 3_000
    assert expected.seconds > 0
    found.sample.close()


def test_arrays_unpacked_from_an_archive_are_foretold_too(archive: Path, tmp_path: Path) -> None:
    found = survey(archive)
    expected = forecast(found, tmp_path / "store", "packed", "png", 9, cpus=1, seconds=0.01)
    assert expected.samples == found.images == 30
    found.sample.close()
