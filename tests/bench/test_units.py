from __future__ import annotations

import pytest

from pixstore.bench.units import unit_of


@pytest.mark.parametrize(
    ("measure", "label", "value", "text"),
    [
        ("images_per_second", "images per second", 12_345.0, "12,300"),
        ("reached_images_per_second", "reached: images per second", 99.0, "99"),
        ("megabytes_per_second", "MB per second", 45.67, "45.7"),
        ("seconds", "time", 0.0123, "12.3 ms"),
        ("p99_seconds", "p99 time", 0.00034, "340 µs"),
        ("cpu_seconds_per_1000_images", "CPU time per 1,000 images", 1.5, "1.5 s"),
        ("peak_private_bytes", "peak private bytes", 3_072.0, "3.07 kB"),
        ("allocated_bytes_per_image", "allocated bytes per image", 3_072.0, "3.07 kB"),
        ("disk_read_bytes_per_epoch", "disk read bytes per epoch", 3_072.0, "3.07 kB"),
        ("disk_bytes_per_pixel_byte", "disk bytes per byte of pixels", 1.234, "1.23"),
        ("waiting_share", "waiting share", 0.375, "38 %"),
        ("psnr_decibels", "PSNR decibels", 38.25, "38.2 dB"),
        ("write_amplification", "write amplification", 1.26, "1.3×"),
        ("overflow_pages", "overflow pages", 1234.0, "1,230"),
    ],
)
def test_the_end_of_a_name_tells_its_unit(measure: str, label: str, value: float, text: str) -> None:
    unit = unit_of(measure)
    assert (unit.label, unit.text(value)) == (label, text)


def test_more_is_better_of_rates_and_less_of_costs() -> None:
    names = ("images_per_second", "psnr_decibels", "p99_seconds", "disk_bytes", "files", "waiting_share")
    assert [unit_of(name).is_more_better for name in names] == [True, True, False, False, None, None]


def test_rates_are_short_at_an_axis_and_nothing_is_zero() -> None:
    assert unit_of("images_per_second").tick(20_000) == "20 k"
    assert unit_of("seconds").tick(0.02) == "20 ms"
    assert unit_of("seconds").tick(0) == "0"
