"""HDF5 files by h5py: `cats.h5` as the cat / not-cat file, `survey.h5` with several sets, compressed, and encoded images in a group."""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import numpy as np
from PIL import Image


def make(folder: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), np.uint8)
    with h5py.File(folder / "cats.h5", "w") as file:
        file["train_set_x"], file["train_set_y"] = images, np.arange(40) % 2
        file["list_classes"] = np.array([b"non-cat", b"cat"])
    with h5py.File(folder / "survey.h5", "w") as file:
        file.attrs["camera"] = "left"
        day = file.create_group("day")
        day.create_dataset("images", data=images.astype("u2") * 200, chunks=(8, 64, 64, 3), compression="gzip", shuffle=True)
        day["labels"], day["exposure"] = ["road", "field"] * 20, np.linspace(1, 2, 40)
        for number in range(12):
            made = io.BytesIO()
            Image.fromarray(images[number, : 40 + number]).save(made, "JPEG")
            file[f"night/{number}"] = np.frombuffer(made.getvalue(), np.uint8)
        for name in ("bgr", "planes"):
            file[name] = images[..., ::-1] if name == "bgr" else images.transpose(0, 3, 1, 2)
