"""Names find engines, paths find sources; a mistyped name or path is answered with those there are."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import pixstore
from pixstore import errors, registry
from pixstore.engine import Engine
from pixstore.source import SourceOptions


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install plugins: a name and what its entry point loads, or the error it raises."""

    def install(group: str, **loads: Any) -> None:
        def load(self: EntryPoint) -> Any:
            found = loads[self.name]
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(EntryPoint, "load", load)
        points = [EntryPoint(name, "somewhere:ENGINE", group) for name in loads]
        monkeypatch.setattr(registry, "entry_points", lambda group: [each for each in points if each.group == group])
        registry.engine.cache_clear()

    yield install
    registry.engine.cache_clear()


@pytest.mark.parametrize("name", registry.ENGINES)
def test_built_in_engines_have_their_names(name: str) -> None:
    assert (
        isinstance(registry.engine(name), Engine) and registry.engine(name).name == name and registry.engine(name) is registry.engine(name)
    )


def test_unknown_engine_is_answered_with_those_there_are() -> None:
    with pytest.raises(errors.InvalidInputError, match="no engine 'lmbd'; engines here: packed, files, lmdb, hdf5"):
        registry.engine("lmbd")


def test_plugin_is_an_engine_among_the_others(plugins: Callable[..., None]) -> None:
    packed = registry.engine("packed")
    plugins("pixstore.engines", tape=packed, lmdb=packed)
    assert registry.engine_names() == [*registry.ENGINES, "tape"] and registry.engine("tape") is packed
    assert registry.engine("lmdb").name == "lmdb", "a plugin does not take a built-in name"


@pytest.mark.parametrize(
    ("loads", "error", "words"),
    [
        (str, errors.InvalidInputError, "'tape' is a type, not a pixstore.engine.Engine"),
        (ImportError("no tape drive"), errors.DependencyError, "'tape'.*no tape drive"),
        (AttributeError("ENGINE"), errors.DependencyError, "'tape'.*ENGINE"),
    ],
)
def test_broken_engine_plugin_is_told_by_name(plugins: Callable[..., None], loads: Any, error: type[Exception], words: str) -> None:
    plugins("pixstore.engines", tape=loads)
    with pytest.raises(error, match=words):
        registry.engine("tape")


def test_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(module: str) -> Any:
        raise ImportError("No module named 'h5py'", name="h5py")

    monkeypatch.setattr(registry.importlib, "import_module", absent)
    registry.engine.cache_clear()
    try:
        with pytest.raises(errors.DependencyError, match=r"'hdf5' needs 'h5py'.*pip install h5py"):
            registry.engine("hdf5")
    finally:
        registry.engine.cache_clear()


@pytest.mark.parametrize(
    ("name", "library"), [("zarr", "zarr"), ("tiledb", "tiledb"), ("leveldb", "plyvel"), ("rocksdb", "rocksdict"), ("hdf5", "h5py")]
)
def test_library_of_an_engine_that_cannot_be_imported_comes_with_its_command(name: str, library: str) -> None:
    program = f"import sys; sys.modules[{library!r}] = None; from pixstore import registry; registry.engine({name!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    command = f"pip install 'pixstore[{name}]'" if name in registry.EXTRAS else f"pip install {library}"
    assert last == f"pixstore.errors.DependencyError: {name!r} needs {library!r}, which is not installed: {command}"


def test_extras_of_engines_are_those_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(registry.EXTRAS) <= set(registry.ENGINES) & set(project["optional-dependencies"])


def test_mistyped_path_creates_nothing_and_suggests_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "cats.pixstore").mkdir()
    with pytest.raises(errors.PathNotFoundError, match=r"cat\.pixstore: does not exist; did you mean .*cats\.pixstore\?"):
        pixstore.open(tmp_path / "cat.pixstore")
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere either"):
        pixstore.open(tmp_path / "nowhere" / "x")
    assert [each.name for each in tmp_path.iterdir()] == ["cats.pixstore"]


@pytest.mark.parametrize("content", [b"", b"junk" * 100, b"\x89PNG\r\n"])
def test_file_that_nobody_knows_is_described(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "some.thing").write_bytes(content)
    with pytest.raises(errors.NotAStoreError, match=r"some\.thing"):
        registry.open_source(tmp_path / "some.thing", SourceOptions())


def test_broken_source_plugin_does_not_take_the_others_with_it(plugins: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    plugins("pixstore.sources", broken=RuntimeError("no"))
    with pytest.warns(UserWarning, match="'broken' does not load"), pytest.raises(errors.NotAStoreError):
        registry.open_source(tmp_path / "x", SourceOptions())
