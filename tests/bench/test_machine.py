from __future__ import annotations

import getpass
import json
import platform
from pathlib import Path

from pixstore.bench import machine


def test_description_names_what_matters_and_nobody(tmp_path: Path) -> None:
    found = machine.describe(tmp_path)
    assert found["cpus"] >= 1
    assert found["core"] in ("native", "reference")
    assert {"numpy", "pillow", "h5py", "lmdb", "HDF5", "LMDB"} <= found["versions"].keys()
    text = json.dumps(found)
    assert platform.node() not in text
    assert str(tmp_path) not in text
    assert f"/{getpass.getuser()}/" not in text


def test_file_system_of_proc_is_known() -> None:
    assert machine.file_system(Path("/proc/self")) == "proc"
