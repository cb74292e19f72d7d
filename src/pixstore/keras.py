"""Batches as a keras.utils.PyDataset, for `model.fit` with any of Keras's backends."""

from __future__ import annotations

from typing import Any

from pixstore.errors import DependencyError
from pixstore.loader.loader import Loader
from pixstore.samples import Batch

try:
    import keras
except ImportError as error:
    raise DependencyError(f"pixstore.keras needs 'keras', and one of its backends ({error}): pip install 'pixstore[keras]'") from error


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """The batches of a loader as pairs (inputs, targets): `model.fit(Batches(loader))`; each epoch of `fit` is the loader's next.

    inputs, targets: a field or column, or a tuple of several, which come as a dict by name; targets=None leaves them out, for `predict`.
    workers: how many threads of Keras read in advance. Only this object counts its epochs; the loader that is handed in stays as it is.

    Where `fit` builds the model first, Keras ends an epoch once more. To have epoch n of `fit` read epoch n whatever comes before it:
    callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.set_epoch(epoch))].
    """

    def __init__(
        self, loader: Loader, *, inputs: str | tuple[str, ...] = "image", targets: str | tuple[str, ...] | None = "label", workers: int = 1
    ) -> None:
        super().__init__(workers=workers)
        self._loader = loader
        self._epoch = loader.epoch
        self._inputs = inputs
        self._targets = targets

    @property
    def epoch(self) -> int:
        """The epoch that is being read."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Let the next items be those of this epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return len(self._loader)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return the batch of this step of the epoch."""
        batch = self._loader.read_step(index, self._epoch)
        inputs = _chosen(batch, self._inputs)
        return (inputs,) if self._targets is None else (inputs, _chosen(batch, self._targets))

    def on_epoch_end(self) -> None:
        """Go on to the next epoch, with its own order and draws; Keras calls this."""
        self._epoch += 1


def _chosen(batch: Batch, names: str | tuple[str, ...]) -> Any:
    return batch[names] if isinstance(names, str) else {name: batch[name] for name in names}
