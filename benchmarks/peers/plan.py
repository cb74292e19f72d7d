"""What is measured: the workloads, and who takes part in each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """One line of a table."""

    name: str
    peer: str
    """The folder of its script; also its environment."""
    setting: str
    """How it is used, in words."""
    option: str = ""
    store: str = ""
    """The name of its own store, which several candidates may share; empty where it reads the source itself."""


@dataclass(frozen=True)
class Aim:
    """What pixstore wants to reach: the rate of `own` is to be at least `factor` times that of `other`."""

    workload: str
    own: str
    other: str
    factor: float


@dataclass(frozen=True)
class Workload:
    """The same images and batches for everyone."""

    name: str
    title: str
    material: str
    """cifar-arrays, cifar-files or photos."""
    batch: int
    is_lossless: bool
    """Whether every peer must deliver exactly the same pixels."""
    candidates: tuple[Candidate, ...]


THREADS = 2
"""Threads or worker processes of each, whatever the machine has; the settings below say which."""
OWN = "pixstore"
OWN_THREADS = "2 threads"

RAW = Workload(
    name="cifar-raw",
    title="CIFAR-10, raw pixels: batches of 512, N·H·W·C uint8 and labels",
    material="cifar-arrays",
    batch=512,
    is_lossless=True,
    candidates=(
        Candidate("pixstore, checksums on", OWN, OWN_THREADS, "packed raw", "packed"),
        Candidate("pixstore, checksums off", OWN, OWN_THREADS, "packed raw unverified", "packed"),
        Candidate("pixstore, lmdb", OWN, OWN_THREADS, "lmdb raw", "lmdb"),
        Candidate("pixstore, hdf5", OWN, OWN_THREADS, "hdf5 raw", "hdf5"),
        Candidate("bare gather", "gather", "no loader: numpy.take from an array in memory into one buffer, 1 thread", "1"),
        Candidate("bare gather, 2 threads", "gather", "no loader: the same, each thread takes half of a batch", "2"),
        Candidate("FFCV", "ffcv", "raw mode, 2 workers, os_cache, OrderOption.RANDOM", store="raw"),
        Candidate("tf.data", "tensorflow", "TFRecord, all records in the shuffle buffer, parsed by the batch, 2 threads", store="raw"),
        Candidate("Grain + ArrayRecord", "grain", "one read per batch, 2 worker processes", store="raw"),
        Candidate("Lance", "lance", "Dataset.take by the batch, 2 batches at once", store="raw"),
        Candidate("Hugging Face datasets", "huggingface", "binary column, numpy batches, DataLoader with 2 workers", store="raw"),
        Candidate("MosaicML Streaming", "streaming", "MDS, local, shuffle py1e, DataLoader with 2 workers", store="raw"),
        Candidate("LitData", "litdata", "local chunks, StreamingDataLoader with 2 workers", store="raw"),
        Candidate("WebDataset", "webdataset", "tar shards, 2 workers, each with a shuffle buffer of 5,000", store="raw"),
        Candidate("torch DataLoader over LMDB", "torch", "one get per image, 2 workers", "lmdb", "lmdb-raw"),
    ),
)
PNG = Workload(
    name="cifar-png",
    title="CIFAR-10 as PNG: batches of 512, N·H·W·C uint8 and labels",
    material="cifar-files",
    batch=512,
    is_lossless=True,
    candidates=(
        Candidate("pixstore, packed", OWN, OWN_THREADS, "packed keep", "packed"),
        Candidate("pixstore, lmdb", OWN, OWN_THREADS, "lmdb keep", "lmdb"),
        Candidate("pixstore, files", OWN, OWN_THREADS, "files keep", "files"),
        Candidate("pixstore, the folder as it lies", OWN, OWN_THREADS, "folder"),
        Candidate("DALI", "dali", "readers.file, decoders.image on the CPU, 2 threads, prefetch 2"),
        Candidate("torch DataLoader over files", "torch", "Pillow, 2 workers", "files"),
        Candidate("torch DataLoader over LMDB", "torch", "Pillow, 2 workers", "lmdb", "lmdb-png"),
        Candidate("tf.data", "tensorflow", "TFRecord, decode_png, all records in the shuffle buffer, 2 threads", store="png"),
        Candidate("Grain + ArrayRecord", "grain", "one read per batch, Pillow, 2 worker processes", store="png"),
        Candidate("Lance", "lance", "Dataset.take by the batch, Pillow, 2 threads", store="png"),
        Candidate("Hugging Face datasets", "huggingface", "Image column (Pillow), DataLoader with 2 workers", store="png"),
        Candidate("MosaicML Streaming", "streaming", "MDS, Pillow, DataLoader with 2 workers", store="png"),
        Candidate("LitData", "litdata", "local chunks, Pillow, StreamingDataLoader with 2 workers", store="png"),
        Candidate("WebDataset", "webdataset", "tar shards, Pillow, 2 workers, each with a shuffle buffer of 5,000", store="png"),
    ),
)
PHOTOS = Workload(
    name="photos",
    title="JPEG photos: RandomResizedCrop to 224 and horizontal flip, batches of 64, N·H·W·C uint8",
    material="photos",
    batch=64,
    is_lossless=False,
    candidates=(
        Candidate("pixstore, packed", OWN, OWN_THREADS, "packed keep", "packed"),
        Candidate("pixstore, the folder as it lies", OWN, OWN_THREADS, "folder"),
        Candidate("FFCV", "ffcv", "JPEG mode (it encodes anew, quality 85), 2 workers, os_cache, OrderOption.RANDOM", store="jpg"),
        Candidate("DALI, crop fused", "dali", "image_random_crop on the CPU, resize, flip; 2 threads, prefetch 2", "fused"),
        Candidate("DALI, crop after", "dali", "decoders.image on the CPU, random_resized_crop, flip; 2 threads, prefetch 2", "after"),
        Candidate("torch DataLoader over files", "torch", "Pillow, torchvision.transforms, 2 workers", "files"),
        Candidate("torch DataLoader over LMDB", "torch", "Pillow, torchvision.transforms, 2 workers", "lmdb", "lmdb-jpeg"),
        Candidate("tf.data", "tensorflow", "decode_and_crop_jpeg, resize, flip; 2 threads", store="jpeg"),
        Candidate("WebDataset", "webdataset", "Pillow, torchvision.transforms, 2 workers", store="jpeg"),
    ),
)
FLOAT = Workload(
    name="cifar-float",
    title="CIFAR-10 to train on: RandomCrop with padding 4, flip, Normalize; batches of 512, N·C·H·W float32",
    material="cifar-arrays",
    batch=512,
    is_lossless=False,
    candidates=(
        Candidate("pixstore", OWN, OWN_THREADS, "packed raw", "packed"),
        Candidate("FFCV", "ffcv", "raw mode, RandomTranslate, NormalizeImage, ToTorchImage; 2 workers", store="raw"),
        Candidate("torch DataLoader over LMDB", "torch", "torchvision.transforms.v2 on tensors, 2 workers", "lmdb", "lmdb-raw"),
    ),
)
AIMS = (
    Aim("cifar-raw", "pixstore, checksums on", "FFCV", 1.0),
    Aim("cifar-raw", "pixstore, checksums off", "FFCV", 1.15),
    Aim("cifar-raw", "pixstore, checksums off", "bare gather", 0.8),
    Aim("cifar-raw", "pixstore, lmdb", "pixstore, checksums on", 0.9),
    Aim("cifar-raw", "pixstore, hdf5", "pixstore, checksums on", 0.9),
    Aim("cifar-png", "pixstore, packed", "DALI", 6.0),
    Aim("cifar-png", "pixstore, packed", "torch DataLoader over files", 12.0),
    Aim("photos", "pixstore, packed", "FFCV", 1.5),
    Aim("photos", "pixstore, packed", "DALI, crop fused", 1.8),
    Aim("photos", "pixstore, packed", "torch DataLoader over files", 2.0),
    Aim("photos", "pixstore, the folder as it lies", "FFCV", 1.3),
)
WORKLOADS = {workload.name: workload for workload in (RAW, PNG, PHOTOS, FLOAT)}
