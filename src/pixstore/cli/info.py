"""`pixstore info`: what is at a path."""

from __future__ import annotations

from typing import Any

import pixstore
from pixstore.cli.console import JsonOption, LabelFromOption, Output, QuietOption
from pixstore.cli.source import ChannelOrderOption, FieldOption, Named, SourceArgument, UnmatchedOption, named
from pixstore.cli.words import as_count, as_size, by_reason, printable
from pixstore.disk import bytes_of
from pixstore.errors import RecordError
from pixstore.field_sizes import differing_sizes
from pixstore.schema import Format

SHOWN_CLASSES = 12
TRIED_ROWS = 20


def run(
    source: SourceArgument = None,
    field: FieldOption = None,
    unmatched: UnmatchedOption = "refuse",
    label_from: LabelFromOption = None,
    channel_order: ChannelOrderOption = None,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Say what is at SOURCE: rows, fields, columns, classes, bytes, and whether reading it is checked.

    pixstore info photos.pixstore

    pixstore info features.h5::/train/images

    pixstore info --field image=photos/ --field mask=masks/
    """
    output = Output(json, quiet)
    asked = named(source, field, label_from=label_from, channel_order=channel_order, unmatched=unmatched)
    with asked.open(quiet=quiet) as dataset:
        found = facts(dataset, asked)
    for line in lines(found):
        output.say(line)
    output.finish(found)


def facts(dataset: pixstore.Dataset, asked: Named) -> dict[str, Any]:
    """Return what there is to say, as `--json` writes it."""
    sizes = [bytes_of(path) for path in asked.paths]
    apparent, allocated = (sum(each) for each in zip(*sizes, strict=True))
    found: dict[str, Any] = {
        "path": asked.words,
        **({"parts": asked.source} if isinstance(asked.source, dict) else {}),
        "origin": dataset.origin,
        "rows": len(dataset),
        "fields": [field_facts(dataset, each) for each in dataset.schema.fields],
        "columns": [{"name": each.name, "type": str(each.type)} for each in dataset.schema.columns],
        "classes": {name: list(names) for name, names in dataset.schema.classes.items()},
        "bytes": {"apparent": apparent, "allocated": allocated},
        "checked": dataset.is_checked,
        "notes": [*dataset.report.notes, *differing_sizes(dataset)],
        "skipped": [{"path": each.path, "reason": each.reason} for each in dataset.report.skipped],
    }
    manifest = dataset.store_manifest
    if manifest is not None:
        found["store"] = {
            "version": manifest.version,
            "created": manifest.created,
            "engine": manifest.engine,
            "durability": manifest.durability,
            "shards": len(manifest.shards),
            "deleted_rows": sum(shard.deleted_rows for shard in manifest.shards),
            "tags": dict(manifest.tags),
        }
    return found


def field_facts(dataset: pixstore.Dataset, field: pixstore.Field) -> dict[str, Any]:
    """Return name, codec, shape and dtype of a field: those of the first readable row where rows may differ."""
    first = first_format(dataset, field.name)
    shape, dtype = (field.shape, field.dtype) if field.is_uniform else (first.shape, first.dtype)
    return {
        "name": field.name,
        "codec": first.codec or field.codec,
        "shape": None if shape is None else list(shape),
        "dtype": dtype,
        "uniform": field.is_uniform,
    }


def first_format(dataset: pixstore.Dataset, field: str) -> Format:
    """Return the format of the first row whose header can be read. Raises that of the first where none of a few can."""
    failure: RecordError | None = None
    for row in range(min(len(dataset), TRIED_ROWS)):
        try:
            return dataset.formats([row], field=field)[0]
        except RecordError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return Format(None, None, None)


def lines(found: dict[str, Any]) -> list[str]:
    """Return the facts in words, one per line."""
    size = found["bytes"]
    told = [
        f"{printable(found['path'])}: {found['origin']}, {as_count(found['rows'], 'sample')}",
        f"  bytes     {as_size(size['apparent'])} in files, {as_size(size['allocated'])} on disk",
    ]
    for field in found["fields"]:
        shape = " × ".join(map(str, field["shape"] or ())) or "shape unknown"
        rows = "every row" if field["uniform"] else "the first row"
        told.append(f"  field     {field['name']}: {field['codec']}, {shape} {field['dtype']}, {rows}")
    told += [f"  column    {printable(each['name'])}: {each['type']}" for each in found["columns"]]
    for name, classes in found["classes"].items():
        more = f" and {len(classes) - SHOWN_CLASSES:,} more" if len(classes) > SHOWN_CLASSES else ""
        told.append(f"  classes   {printable(name)}: {', '.join(printable(each) for each in classes[:SHOWN_CLASSES])}{more}")
    store = found.get("store")
    if store is not None:
        told.append(f"  version   {store['version']}, of {store['created']}")
        told.append(f"  engine    {store['engine']}, {as_count(store['shards'], 'shard')}")
        told.append(f"  durable   {'survives a power cut' if store['durability'] == 'power' else 'survives the end of the process only'}")
    told.append(f"  checked   {'every read, by checksum' if found['checked'] else 'unchecked: the source has no checksums'}")
    told += [f"  note      {printable(note)}" for note in found["notes"]]
    if found["skipped"]:
        told.append(f"  skipped   {as_count(len(found['skipped']), 'file')}")
        told += [f"  {line}" for line in by_reason((each["path"], each["reason"]) for each in found["skipped"])]
    return told
