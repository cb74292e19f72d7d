"""What the rules decide on, and what they decide: plain figures, without a word of how they were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pixstore.bench.statistics import Spread

Use: TypeAlias = Literal["train", "browse", "archive"]
EditRate: TypeAlias = Literal["often", "never"]
Medium: TypeAlias = Literal["memory", "ssd", "disk", "network", "unknown"]
Confidence: TypeAlias = Literal["high", "medium", "low"]
FULL, WINDOW = "full", "window"
"""The two modes of shuffling that a loader has."""


@dataclass(frozen=True)
class Figures:
    """One way of keeping the images, as measured on the sample.

    engine: None for the data as it lies. seconds: for one image, by threads, from memory: of shuffled batches (train), of one random read
    at the 95th percentile (browse), or read in order (archive). cold_seconds: the same with nothing in memory, by mode of shuffling.
    edit_seconds: to add, change and remove one image and commit. disk_bytes, convert_seconds: for all images, None where unknown.
    is_decoded: pixels of images that the source holds encoded; their own bytes are not kept. error: why it failed; a way without an error
    and without `seconds` had no turn in the time. differs: it read back other than was stored.
    """

    way: str
    title: str
    engine: str | None = None
    codec: str | None = None
    level: int | None = None
    seconds: Mapping[int, Spread] = field(default_factory=dict)
    cold_seconds: Mapping[str, Spread] = field(default_factory=dict)
    opening_seconds: float = 0.0
    disk_bytes: int | None = None
    convert_seconds: float | None = None
    edit_seconds: Spread | None = None
    verify_seconds: float | None = None
    is_decoded: bool = False
    error: str | None = None
    differs: bool = False

    @property
    def is_source(self) -> bool:
        return self.engine is None


@dataclass(frozen=True)
class Situation:
    """What is wanted, and what there is.

    images: of the whole source; sampled: those measured. medium: what the store will lie on, source_medium: what the source lies on;
    is_medium_measured: whether what was measured lay on them. memory_bytes: what the system can keep of files in memory. has_own_files:
    whether the source has a file for each image; is_editable: whether images can be added to it and removed in place. is_writable:
    whether a store can be made where it is to go.
    """

    use: Use
    images: int
    sampled: int
    edit: EditRate = "never"
    demand: float | None = None
    medium: Medium = "ssd"
    source_medium: Medium = "ssd"
    is_medium_measured: bool = True
    memory_bytes: int = 1 << 62
    free_bytes: int = 1 << 62
    has_own_files: bool = True
    is_editable: bool = True
    is_writable: bool = True


@dataclass(frozen=True)
class Reason:
    """A rule that had a say, and what it said in words."""

    rule: str
    words: str


@dataclass(frozen=True)
class Gain:
    """How many times as good the best store is as the data as it lies; the ratio lies between low and high with about 95 %."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Demand:
    """Whether a consumer of so many images a second is fed. way: the cheapest that does it, None where none does."""

    images_per_second: float
    source_rate: float | None
    way: str | None
    rate: float | None
    """Of that way; of the fastest where none does it."""


@dataclass(frozen=True)
class Verdict:
    """What the rules decided.

    choice: the data as it lies means: leave it. gain: of the best store, chosen or not. payback_epochs: passes over all images after
    which the conversion has paid for itself. excluded: by way, the reason why it was no candidate.
    """

    choice: Figures
    runner_up: Figures | None
    gain: Gain | None
    payback_epochs: float | None
    reasons: tuple[Reason, ...]
    remarks: tuple[Reason, ...]
    excluded: Mapping[str, Reason]
    confidence: Confidence
    confidence_reason: str
    threads: int | None
    shuffle: str
    order: str
    shard_bytes: int
    demand: Demand | None = None

    @property
    def leaves_as_is(self) -> bool:
        return self.choice.is_source
