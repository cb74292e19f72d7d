"""The operations that faults are aimed at: each goes in steps, acknowledges a step once its commit returned, goes on where it stopped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pixstore
from faults.samples import GENERATION_STEP, State, sample
from pixstore.errors import PixstoreError
from pixstore.jobs import coordinate
from pixstore.manifest import KEPT_VERSIONS, Durability, is_store, load
from pixstore.writer import Writer

CODECS = {"image": "keep", "thumb": "png"}
START_KEYS = [f"start {number:02}" for number in range(24)]

Acknowledge = Callable[[int], None]
"""Called with the number of steps that are committed; first with that at which the operation begins."""


class WentOnError(AssertionError):
    """A writer took more work after an error that may have lost some."""


class Operation(ABC):
    """One operation on a store: how the store is before, what is done, and what must be there after each step."""

    name: str
    steps: int
    shards_per_step = 1
    """How many shards a step that was cut off may leave behind."""
    makes_store = False
    """Whether there is no store before."""

    def prepare(self, store: Path, engine: str, durability: Durability) -> None:
        """Make the store as it is before the operation."""
        with Writer(store, engine=engine, codec=CODECS, durability=durability, threads=1) as writer:
            for keys in (START_KEYS[:16], START_KEYS[16:]):
                add(writer, keys)
                writer.commit()
            # With so many versions each further commit removes the oldest one's manifest.
            for _ in range(KEPT_VERSIONS - 2):
                writer.commit()

    @abstractmethod
    def run(self, store: Path, engine: str, durability: Durability, acknowledge: Acknowledge) -> None:
        """Do the operation, or what is left of it."""

    @abstractmethod
    def expected(self, steps: int) -> State:
        """Return what the store holds after so many steps."""

    def unfinished(self, store: Path) -> list[str]:
        """Return what a look at a store whose content is right shows to be missing at the end of the operation."""
        return []

    def steps_done(self, store: Path) -> int:
        """Return how many steps a look into the store shows to be done. Raises ValueError where it shows none of its states."""
        dataset = pixstore.open(store)
        labels = dict(zip(dataset.keys.to_pylist(), dataset.table["label"].to_pylist(), strict=True))
        held = {key: label // GENERATION_STEP for key, label in labels.items()}
        states = {steps: {key: columns for key, (columns, _) in self.expected(steps).items()} for steps in range(self.steps + 1)}
        return max(steps for steps, state in states.items() if state == held)


class Stepwise(Operation):
    """An operation of a writer that commits each step."""

    @abstractmethod
    def step(self, writer: Writer, step: int) -> None:
        """Do this step, but for the commit."""

    def run(self, store: Path, engine: str, durability: Durability, acknowledge: Acknowledge) -> None:
        go_through(self, store, durability, acknowledge)


class Append(Stepwise):
    name = "append"
    steps = 3

    def step(self, writer: Writer, step: int) -> None:
        add(writer, self._keys(step))

    def expected(self, steps: int) -> State:
        return {**start_state(), **{key: (0, 0) for step in range(steps) for key in self._keys(step)}}

    def _keys(self, step: int) -> list[str]:
        return [f"added {step}-{number}" for number in range(8)]


class Update(Stepwise):
    """Columns of some samples, images of others; the third step changes again what the first changed."""

    name = "update"
    steps = 3
    shards_per_step = 2
    CHANGES: Sequence[tuple[Sequence[str], Sequence[str]]] = (
        (START_KEYS[0:4], START_KEYS[4:6]),
        (START_KEYS[14:18], START_KEYS[18:20]),
        (START_KEYS[1:3], START_KEYS[3:5]),
    )

    def step(self, writer: Writer, step: int) -> None:
        after = self.expected(step + 1)
        columns, images = self.CHANGES[step]
        for key in columns:
            changed = sample(key, after[key])
            writer.update(key, label=changed.label, name=changed.name)
        for key in images:
            changed = sample(key, after[key])
            writer.update(key, changed.image, thumb=changed.thumb, label=changed.label, name=changed.name)

    def expected(self, steps: int) -> State:
        state = start_state()
        for columns, images in self.CHANGES[:steps]:
            for key in (*columns, *images):
                state[key] = (state[key][0] + 1, state[key][1] + (key in images))
        return state


class Delete(Stepwise):
    """Rows here and there; with the last step a shard is empty and leaves the store."""

    name = "delete"
    steps = 3
    shards_per_step = 0
    GONE: Sequence[Sequence[str]] = (START_KEYS[2:20:4], START_KEYS[0:2], START_KEYS[16:24])

    def step(self, writer: Writer, step: int) -> None:
        before = self.expected(step)
        for key in self.GONE[step]:
            if key in before:
                writer.delete(key)

    def expected(self, steps: int) -> State:
        gone = {key for keys in self.GONE[:steps] for key in keys}
        return {key: version for key, version in start_state().items() if key not in gone}


class Convert(Operation):
    """A conversion in three ranges, by one worker, each committed as soon as it is done. The source lies beside the store."""

    name = "convert"
    steps = 3
    # What is finished while the commit of the range before is under way is left behind too.
    shards_per_step = 2
    makes_store = True
    ROWS = 8
    # Eight of these rows with their columns, not nine.
    RANGE_BYTES = 4200

    def prepare(self, store: Path, engine: str, durability: Durability) -> None:
        with Writer(store.parent / "source", durability="process") as writer:
            add(writer, START_KEYS)

    def run(self, store: Path, engine: str, durability: Durability, acknowledge: Acknowledge) -> None:
        if is_store(store) and not load(store).is_unfinished:
            return
        # A second of work is more than all of this; what is acknowledged is what was committed before the progress was told.
        coordinate.COMMIT_SECONDS = 0.0
        pixstore.convert(
            store.parent / "source",
            store,
            engine=engine,
            durability=durability,
            shard_bytes=self.RANGE_BYTES,
            threads=1,
            workers=1,
            # Without a total it is the source that is being listed.
            progress=lambda done, total, size: acknowledge(done // self.ROWS) if total else None,
        )

    def expected(self, steps: int) -> State:
        return dict.fromkeys(START_KEYS[: steps * self.ROWS], (0, 0))


class Compact(Operation):
    """Shards with deleted and with borrowed rows become one; what the store holds stays the same."""

    name = "compact"
    steps = 1
    shards_per_step = 2

    def prepare(self, store: Path, engine: str, durability: Durability) -> None:
        super().prepare(store, engine, durability)
        Update().run(store, engine, durability, _unheard)
        with Writer(store, mode="a", durability=durability) as writer:
            for key in self.GONE:
                writer.delete(key)

    GONE = START_KEYS[2:20:4]

    def run(self, store: Path, engine: str, durability: Durability, acknowledge: Acknowledge) -> None:
        acknowledge(0)
        pixstore.Store(store).compact(threads=1)
        acknowledge(1)

    def expected(self, steps: int) -> State:
        return {key: version for key, version in Update().expected(Update.steps).items() if key not in self.GONE}

    def unfinished(self, store: Path) -> list[str]:
        report = pixstore.Store(store).compact(dry_run=True)
        return ["there is still something to compact"] if report.is_needed else []


class Repair(Operation):
    """A new store from one beside it, in which a record is damaged; its sample is lost, and only that."""

    name = "repair"
    steps = 1
    makes_store = True
    LOST = START_KEYS[9]

    def prepare(self, store: Path, engine: str, durability: Durability) -> None:
        source = store.parent / "source"
        super().prepare(source, engine, durability)
        dataset = pixstore.open(source)
        place = dataset.located("image", [dataset.keys.to_pylist().index(self.LOST)]).place
        with open(place.paths[place.file[0]], "r+b") as file:
            file.seek(int(place.offset[0]))
            byte = file.read(1)[0]
            file.seek(int(place.offset[0]))
            file.write(bytes([byte ^ 1]))

    def run(self, store: Path, engine: str, durability: Durability, acknowledge: Acknowledge) -> None:
        acknowledge(0)
        if not is_store(store):
            pixstore.repair(store.parent / "source", store)
        acknowledge(1)

    def expected(self, steps: int) -> State:
        return {key: (0, 0) for key in START_KEYS if steps and key != self.LOST}


def _unheard(steps: int) -> None:
    """Let an acknowledgement pass."""


def start_state() -> State:
    return dict.fromkeys(START_KEYS, (0, 0))


def add(writer: Writer, keys: Sequence[str]) -> None:
    for key in keys:
        each = sample(key, (0, 0))
        writer.add(each.image, key=key, thumb=each.thumb, label=each.label, name=each.name)


def go_through(operation: Stepwise, store: Path, durability: Durability, acknowledge: Acknowledge) -> None:
    """Do each step that is not done yet, commit it, acknowledge it."""
    done = operation.steps_done(store)
    writer = Writer(store, mode="a", durability=durability, threads=1)
    with refusing_after_error(writer):
        acknowledge(done)
        for step in range(done, operation.steps):
            operation.step(writer, step)
            writer.commit()
            acknowledge(step + 1)
        writer.close()


@contextmanager
def refusing_after_error(writer: Writer) -> Iterator[None]:
    """After an error in this block, see that the writer takes nothing more, and let go of the store."""
    try:
        yield
    except BaseException as error:
        try:
            writer.commit()
        except PixstoreError:
            writer.abort()
            raise error from None
        raise WentOnError(f"the writer committed again after {error!r}") from error


OPERATIONS: dict[str, Operation] = {each.name: each for each in (Append(), Convert(), Update(), Delete(), Compact(), Repair())}
