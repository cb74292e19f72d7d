"""Datasets, samples and batches as notebooks show them: HTML that needs nothing else, with small PNGs inside.

Everything that comes from data is escaped. What cannot be shown is a tile that says why: a preview never raises. No more than the
images shown are read, and the HTML stays at about 200 kB.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from html import escape
from typing import Any, Protocol

import numpy as np

from pixstore.errors import BadRow, RecordError
from pixstore.schema import KEY, Schema
from pixstore.thumbnails import LARGEST_SIDE, thumbnail

SAMPLES_SHOWN = 12
BATCH_SHOWN = 16
MOST_BYTES = 180_000
"""Of all images together, in base64."""
LONGEST_TEXT = 160
LONGEST_LIST = 1_000
LONGEST_VALUE = 60
LABEL = "label"
MASK = "mask"
"""What the names of fields with labels instead of colours have in them, as for `Dataset.loader`."""
BOX = f"width:{LARGEST_SIDE}px;height:{LARGEST_SIDE}px;background:#8882"
PICTURE = f"display:block;{BOX};object-fit:contain;image-rendering:pixelated"
WORDS = f"{BOX};overflow:hidden;color:#c33"
TILE = f"width:{LARGEST_SIDE}px;font-size:11px;line-height:1.25;overflow-wrap:anywhere"
GRID = "display:flex;flex-wrap:wrap;gap:8px;margin:.4em 0"
CELL = "text-align:left;padding:.1em .8em .1em 0;vertical-align:top"


class Readable(Protocol):
    """What a dataset is shown by."""

    @property
    def origin(self) -> str: ...

    @property
    def schema(self) -> Schema: ...

    def __len__(self) -> int: ...

    def read(self, rows: Sequence[int], *, fields: Sequence[str], columns: Sequence[str]) -> Mapping[str, Any]: ...


def of_dataset(dataset: Readable) -> str:
    """Return the HTML of a dataset: its length, origin and schema, and its first images with keys and labels."""
    return _guarded("Dataset", partial(_dataset, dataset))


def of_sample(values: Mapping[str, Any]) -> str:
    """Return the HTML of one sample: its images, and its columns as a table."""
    return _guarded("Sample", partial(_sample, values))


def of_batch(values: Mapping[str, Any], count: int, bad: Sequence[BadRow]) -> str:
    """Return the HTML of a batch of `count` rows: the shape and type of each value, and its first images; `bad` rows say why."""
    return _guarded("Batch", partial(_batch, values, count, bad))


def _guarded(name: str, make: Callable[[], str]) -> str:
    # A notebook shows a traceback in place of a value whose preview fails, and the value may be sound.
    try:
        return make()
    except Exception as error:
        return f"<pre>{name} without a preview: {_text(_reason(error))}</pre>"


def _dataset(dataset: Readable) -> str:
    schema = dataset.schema
    facts = {
        "fields": ", ".join(f"{each.name} {_kind(each.shape, each.dtype)}" for each in schema.fields),
        "columns": ", ".join(f"{each.name}: {each.type}" for each in schema.columns),
        **{f"classes of {name}": ", ".join(names) for name, names in schema.classes.items()},
    }
    shown = range(min(len(dataset), SAMPLES_SHOWN))
    share = MOST_BYTES // max(len(shown) * len(schema.fields), 1)
    tiles = []
    for row in shown:
        pictures = [_picture(partial(_field, dataset, row, name), name, share) for name in schema.field_names]
        tiles.append(_tile(pictures, _captions(dataset, row)))
    heading = f"Dataset of {len(dataset):,} samples: {dataset.origin}"
    return _block(heading, _table(facts), _grid(tiles, len(dataset)))


def _field(dataset: Readable, row: int, name: str) -> Any:
    return dataset.read([row], fields=[name], columns=[])[name][0]


def _captions(dataset: Readable, row: int) -> list[str]:
    """Return key and label, read apart from the images: where one of these is corrupt, its key is still told."""
    has_label = LABEL in dataset.schema.columns.names
    try:
        values = dataset.read([row], fields=[], columns=[LABEL] if has_label else [])
    except Exception as error:
        return [f"row {row}", _reason(error)]
    captions = [str(values[KEY][0])]
    if has_label:
        captions.append(_class(values[LABEL][0], dataset.schema.classes.get(LABEL, ())))
    return captions


def _class(label: Any, names: Sequence[str]) -> str:
    is_number = isinstance(label, int | np.integer)
    return names[int(label)] if is_number and 0 <= label < len(names) else f"label {_brief(label)}"


def _sample(values: Mapping[str, Any]) -> str:
    held = {name: values[name] for name in values}
    images = {name: value for name, value in held.items() if _is_array(value) and len(value.shape) > 1}
    share = MOST_BYTES // max(len(images), 1)
    tiles = [_tile([_picture(partial(images.get, name), name, share)], [name, _brief(value)]) for name, value in images.items()]
    facts = {name: _brief(value) for name, value in held.items() if name not in images}
    return _block("Sample", _grid(tiles, len(tiles)), _table(facts))


def _batch(values: Mapping[str, Any], count: int, bad: Sequence[BadRow]) -> str:
    held = {name: values[name] for name in values}
    images = {name: value for name, value in held.items() if _holds_images(value)}
    reasons = {each.row: each.reason for each in bad}
    shown = range(min(count, BATCH_SHOWN))
    share = MOST_BYTES // max(len(shown) * len(images), 1)
    tiles = []
    for row in shown:
        if row in reasons:
            pictures = [_words(reasons[row])]
        else:
            pictures = [_picture(partial(value.__getitem__, row), name, share) for name, value in images.items()]
        captions = [str(held[KEY][row])] if KEY in held else []
        captions += [f"label {_brief(held[LABEL][row])}"] if LABEL in held else []
        tiles.append(_tile(pictures, captions))
    return _block(f"Batch of {count:,}", _table({name: _brief(value) for name, value in held.items()}), _grid(tiles, count))


def _is_array(value: object) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _holds_images(value: Any) -> bool:
    if isinstance(value, list):
        return any(_is_array(each) and len(each.shape) > 1 for each in value)
    return _is_array(value) and len(value.shape) > 2


def _kind(shape: Sequence[int] | None, dtype: object) -> str:
    sizes = "of several shapes" if shape is None else "·".join(map(str, shape))
    return f"{sizes} {'' if dtype is None else dtype}".strip()


def _brief(value: Any) -> str:
    """Return what a value is in a few words: short ones themselves, arrays by shape and type, lists by their length and beginning."""
    if _is_array(value) and len(value.shape) > 0:
        return _kind(value.shape, value.dtype)
    if isinstance(value, list):
        more = " …" if len(value) > 4 else ""
        return f"{len(value):,} values: {', '.join(_brief(each) for each in value[:4])}{more}"
    return _cut(value if isinstance(value, str) else str(value) if isinstance(value, np.generic) else repr(value), LONGEST_VALUE)


def _picture(read: Callable[[], Any], name: str, share: int) -> str:
    """Return the image that `read` gives, or a tile of words that say why there is none."""
    try:
        image = read()
        if image is None:
            return _words(f"no {name}")
        data = thumbnail(np.asarray(image), most_bytes=share * 3 // 4, has_labels=MASK in name)
    except Exception as error:
        return _words(_reason(error))
    return f'<img style="{PICTURE}" alt="{_text(name)}" src="data:image/png;base64,{base64.b64encode(data).decode("ascii")}">'


def _words(said: str) -> str:
    return f'<div style="{WORDS}">{_text(said)}</div>'


def _tile(pictures: Iterable[str], captions: Iterable[str]) -> str:
    return f'<div style="{TILE}">{"".join(pictures)}{"".join(f"<div>{_text(each)}</div>" for each in captions)}</div>'


def _grid(tiles: Sequence[str], total: int) -> str:
    more = f"<div>… and {total - len(tiles):,} more</div>" if total > len(tiles) else ""
    return f'<div style="{GRID}">{"".join(tiles)}</div>{more}' if tiles else ""


def _table(facts: Mapping[str, str]) -> str:
    rows = [
        f'<tr><th style="{CELL}">{_text(name)}</th><td style="{CELL}">{_text(said, LONGEST_LIST)}</td></tr>'
        for name, said in facts.items()
        if said
    ]
    return f"<table>{''.join(rows)}</table>"


def _block(heading: str, *parts: str) -> str:
    return f"<div><b>{_text(heading)}</b>{''.join(parts)}</div>"


def _reason(error: Exception) -> str:
    if isinstance(error, RecordError) and error.bad_rows:
        # The tile's caption has the key, and the path would fill the tile.
        return error.bad_rows[0].reason
    return str(error) or type(error).__name__


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _text(value: str, longest: int = LONGEST_TEXT) -> str:
    """Return text for HTML: escaped, cut, and without characters that are not seen or that turn the direction of others."""
    return escape("".join(each if each.isprintable() else "�" for each in _cut(value, longest)))
