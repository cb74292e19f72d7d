from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from pixstore.disk import bytes_of
from pixstore.engine import PlannedShard, RecordBatch
from pixstore.engines.file_names import escape
from pixstore.engines.files import ENGINE
from pixstore.engines.files_size import name_bytes
from pixstore.schema import Format, Schema
from pixstore.testing import ODD_KEYS, packed_records


def test_lengths_of_names_are_those_of_escaped_keys() -> None:
    plain = [key for key in ODD_KEYS if not key.startswith((".", "con", "CON", "lpt1"))]
    assert name_bytes(pa.array(plain), ".png").tolist() == [len(escape(key, ".png")) for key in plain]
    # A dot in front and a name that a system reserves cost two more, which nobody needs to know beforehand.
    assert name_bytes(pa.array(["con", ".hidden"]), "").tolist() == [3, 7]


def test_lengths_of_names_of_some_keys_of_an_array() -> None:
    keys = pa.array(["skipped", "a/b", "", "é", "plain"])[1:4]
    assert name_bytes(keys, ".jpg").tolist() == [len("a%2Fb.jpg"), 4, len("%C3%A9.jpg")]
    assert name_bytes(pa.array([], pa.string()), ".jpg").tolist() == []


def test_files_their_names_and_their_headers_are_foretold_to_the_byte(tmp_path: Path) -> None:
    keys = [f"Train/{row}.png" for row in range(50)]
    stored = [None if row % 7 == 3 else bytes(row * 100) for row in range(50)]
    for number, form in enumerate((Format("png", (4, 4, 3), "uint8"), Format("raw", (5, 20), "uint8"), Format("raw", None, None))):
        path = tmp_path / f"0123456789abcde{number}.files"
        records = packed_records(stored, Format("raw", (5, 21), "uint8") if form.codec == "raw" and not form.is_known else form)
        writer = ENGINE.create(path, Schema(), durable=False, max_bytes=1 << 30)
        writer.append(RecordBatch(keys, {"image": records}))
        extents = writer.seal()
        assert extents is not None
        lengths = {"image": np.array([-1 if each is None else len(each) for each in stored], np.int64)}
        found = ENGINE.predicted_bytes(PlannedShard(Schema(), lengths, {"image": form}, pa.array(keys), tmp_path))
        assert found.apparent == bytes_of(path)[0]
        assert (found.paths, found.path_bytes) == (len(extents["image"].paths), sum(map(len, extents["image"].paths)))
