"""The rules of docs/architecture.md, held against the code, and each shown to catch a planted fault."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

# Imports point down this list; rooms of one line may use each other, without circles.
LAYERS = (
    ("cli", "web"),
    ("bench",),
    ("convert", "export", "export_proof", "layout", "layouts", "trust", "upkeep", "jobs", "estimate", "testing"),
    ("torch", "tensorflow", "jax", "keras"),
    ("dataset", "lookup", "reading", "opening", "reopening", "field_sizes", "writer", "cached"),
    ("loader", "splits"),
    ("store", "joined", "stems", "builder", "incoming", "updates", "mode", "belongings"),
    ("shard", "shards", "readers", "keys", "record_table", "uniform"),
    ("manifest",),
    ("registry",),
    ("engines", "sources"),
    ("codec", "encoding", "slots", "ingest", "probing", "records", "formats"),
    ("core",),
    ("reference",),
    (
        "rows",
        "engine",
        "source",
        "address",
        "naming",
        "schema",
        "errors",
        "columns",
        "disk",
        "memory_limit",
        "lock",
        "headers",
        "samples",
        "preview",
        "thumbnails",
        "selectors",
        "nearest",
        "wire",
        "executors",
        "child",
        "confinement",
    ),
    ("package",),
)
USERS_OF_PUBLIC_NAMES = ("cli", "web", "bench", "testing")
LIBRARIES = {
    "ml_dtypes": ("loader.bfloat16",),
    "google_crc32c": ("engines", "sources"),
    "lmdb": ("engines", "sources", "layouts", "bench.ways"),
    "h5py": ("engines", "sources", "layouts", "bench.ways"),
    "plyvel": ("engines",),
    "rocksdict": ("engines",),
    "tiledb": ("engines",),
    "zarr": ("engines",),
    "matplotlib": ("bench",),
    "typer": ("cli",),
    "rich": ("cli",),
    "torch": ("torch",),
    "tensorflow": ("tensorflow",),
    "jax": ("jax",),
    "ray": ("executors",),
    "keras": ("keras",),
    "pixstore_native": (),
}
IMPORTERS_BY_NAME = ("core", "registry", "cli.main", "executors.dispatch", "bench", "")
RUNS_CODE = re.compile(
    r"(_?pickle|dill|cloudpickle|joblib|marshal|shelve|torch(\.serialization)?|tensorflow|keras)\.(load|loads|open|Unpickler|load_model)"
    r"|yaml\.(load|load_all|full_load|unsafe_load)|pandas\.read_pickle|os\.(system|popen)"
    r"|(tarfile|zipfile|shutil)\.(.*\.)?(extract|extractall|unpack_archive)|eval|exec|compile|__import__"
)
RUNNERS = {"pickle", "_pickle", "pickletools", "dill", "cloudpickle", "joblib", "marshal", "shelve", "runpy", "codeop", "yaml"}
"""Modules that are not imported at all: what they are good for is reading what may run."""
EXTRACTS = ("extract", "extractall")
RUNS_PICKLES = "bench.ways.tutorial_lmdb"
HISTORY = {"old", "new", "legacy", "compat", "deprecated", "v1", "v2", "v3"}
NOT_A_PURPOSE = {"util", "utils", "helpers", "misc", "common"}


@dataclass(frozen=True)
class Module:
    """One Python file of the package: its name below pixstore ("" is the package itself) and its syntax tree."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class House:
    """A work tree: the package's modules by name, and where its tests and its native core lie."""

    root: Path
    modules: dict[str, Module]

    @classmethod
    def at(cls, root: Path) -> House:
        package = root / "src" / "pixstore"
        found = {}
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
        return cls(root, found)

    def imports(self, module: Module) -> Iterator[tuple[str, int]]:
        """Yield (full name of what is imported, line) for every import outside `if TYPE_CHECKING:`."""
        typing_only = {
            inner
            for node in ast.walk(module.tree)
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
            for inner in ast.walk(node)
        }
        for node in ast.walk(module.tree):
            if node in typing_only:
                continue
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = "pixstore" if node.level else node.module or ""
                yield from ((self._target(base, alias.name), node.lineno) for alias in node.names)

    def inner_imports(self, module: Module) -> Iterator[tuple[str, int]]:
        """Yield (name below pixstore, line) of the modules of the package that this one imports."""
        for target, line in self.imports(module):
            if target == "pixstore" or target.startswith("pixstore."):
                yield target.removeprefix("pixstore").removeprefix("."), line

    def _target(self, base: str, name: str) -> str:
        inside = f"{base}.{name}".removeprefix("pixstore.")
        return f"{base}.{name}" if not base.startswith("pixstore") or inside in self.modules else base


def imports_point_down(house: House) -> Iterator[str]:
    rank = {room: number for number, layer in enumerate(LAYERS) for room in layer}
    for module in house.modules.values():
        if not module.name:
            continue
        if module.room not in rank:
            yield f"{module.path}: {module.room} has no place among the LAYERS"
            continue
        for target, line in house.inner_imports(module):
            if not target:
                if module.room not in USERS_OF_PUBLIC_NAMES:
                    yield f"{module.path}:{line}: only {', '.join(USERS_OF_PUBLIC_NAMES)} use the package by its public names"
            elif rank.get(target.partition(".")[0], -1) < rank[module.room]:
                yield f"{module.path}:{line}: imports {target}, which is above it"


def imports_have_no_circle(house: House) -> Iterator[str]:
    waiting = {name: {target for target, _ in house.inner_imports(module) if target} for name, module in house.modules.items() if name}
    while True:
        free = [name for name, targets in waiting.items() if not targets & waiting.keys() - {name}]
        if not free:
            break
        for name in free:
            del waiting[name]
    if waiting:
        yield f"these import each other in a circle, or wait for one that does: {', '.join(sorted(waiting))}"


def engines_do_not_know_each_other(house: House) -> Iterator[str]:
    engines = {name for name, module in house.modules.items() if module.room == "engines" and assigns(module, "ENGINE")}
    for module in house.modules.values():
        if module.room == "engines":
            for target, line in house.inner_imports(module):
                if target in engines:
                    yield f"{module.path}:{line}: imports the engine {target}"


def assigns(module: Module, name: str) -> bool:
    targets = [target for node in module.tree.body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in module.tree.body if isinstance(node, ast.AnnAssign)]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def libraries_stay_in_their_rooms(house: House) -> Iterator[str]:
    for module in house.modules.values():
        for target, line in house.imports(module):
            library = target.partition(".")[0]
            rooms = LIBRARIES.get(library)
            if rooms is not None and not any(f"{module.name}.".startswith(f"{room}.") for room in rooms):
                yield f"{module.path}:{line}: imports {library}, which only {', '.join(rooms) or 'core, by name,'} may"


def imports_stand_at_the_top(house: House) -> Iterator[str]:
    for module in house.modules.values():
        for function in ast.walk(module.tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        yield f"{module.path}:{node.lineno}: import inside {function.name}"
        if module.name not in IMPORTERS_BY_NAME:
            for name, line in calls(module):
                if name in ("importlib.import_module", "__import__"):
                    yield f"{module.path}:{line}: imports a module by name, which only {', '.join(filter(None, IMPORTERS_BY_NAME))} may"


def no_foreign_code_runs(house: House) -> Iterator[str]:
    for module in house.modules.values():
        if module.name == RUNS_PICKLES:
            continue
        for target, line in house.imports(module):
            if target.partition(".")[0] in RUNNERS:
                yield f"{module.path}:{line}: imports {target}, which reads what may run"
        for name, line in calls(module):
            if RUNS_CODE.fullmatch(name) or name.rpartition(".")[2] in EXTRACTS:
                yield f"{module.path}:{line}: {name} may run or write what the input says"
            if name in ("numpy.load", "numpy.lib.format.read_array", "numpy.lib.npyio.load"):
                yield f"{module.path}:{line}: {name}; read .npy as data"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell") and ast.unparse(node.value) != "False":
                yield f"{module.path}:{node.value.lineno}: {node.arg}={ast.unparse(node.value)}"


def calls(module: Module) -> Iterator[tuple[str, int]]:
    """Yield (full dotted name, line) of everything named in the module, import aliases resolved: a call may hide behind a name."""
    origin = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            origin.update({alias.asname: alias.name for alias in node.names if alias.asname})
        elif isinstance(node, ast.ImportFrom):
            origin.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)):
            first, dot, rest = ast.unparse(node).partition(".")
            yield origin.get(first, first) + dot + rest, node.lineno


def packages_hold_public_names_only(house: House) -> Iterator[str]:
    for module in house.modules.values():
        if module.is_package:
            for node in module.tree.body:
                hook = isinstance(node, ast.FunctionDef) and node.name in ("__getattr__", "__dir__")
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not hook:
                    yield f"{module.path}:{node.lineno}: {node.name} belongs into a module of its own"


def names_say_what_things_are(house: House) -> Iterator[str]:
    for module in house.modules.values():
        parts = set(re.split(r"[._]", module.name))
        if found := parts & (HISTORY | NOT_A_PURPOSE):
            yield f"{module.path}: the name says {', '.join(sorted(found))}, not what the module is"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+\d*|v\d", node.name)}
                if found := words & HISTORY:
                    yield f"{module.path}:{node.lineno}: {node.name} is named by history ({', '.join(sorted(found))})"


def every_module_has_its_tests(house: House) -> Iterator[str]:
    for module in house.modules.values():
        if not module.is_package:
            *folders, name = module.name.split(".")
            expected = house.root.joinpath("tests", *folders, f"test_{name}.py")
            if not expected.exists():
                yield f"{module.path}: has no {expected.relative_to(house.root)}"


def native_code_is_a_third_at_most(house: House) -> Iterator[str]:
    python = sum(line_count(module.path.read_text(encoding="utf-8")) for module in house.modules.values())
    native = 0
    for path in (house.root / "native").rglob("*"):
        inside = path.relative_to(house.root / "native").parts
        if path.suffix in (".rs", ".c", ".h") and "target" not in inside and "tests" not in inside:
            native += line_count(path.read_text(encoding="utf-8").partition("#[cfg(test)]\nmod ")[0])
    if native * 3 > native + python:
        yield f"{native} of {native + python} lines are native, more than a third"


def line_count(text: str) -> int:
    return sum(1 for line in text.splitlines() if line.strip())


RULES: tuple[Callable[[House], Iterator[str]], ...] = (
    imports_point_down,
    imports_have_no_circle,
    engines_do_not_know_each_other,
    libraries_stay_in_their_rooms,
    imports_stand_at_the_top,
    no_foreign_code_runs,
    packages_hold_public_names_only,
    names_say_what_things_are,
    every_module_has_its_tests,
    native_code_is_a_third_at_most,
)


@pytest.fixture(scope="module")
def house() -> House:
    return House.at(PROJECT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_project_keeps(rule: Callable[[House], Iterator[str]], house: House) -> None:
    assert house.modules, "no modules found: the rules would hold for nothing"
    broken = list(rule(house))
    assert not broken, "\n".join(["", *broken])


FAULTS = (
    (imports_point_down, "src/pixstore/codec.py", "from pixstore.dataset import Dataset"),
    (imports_point_down, "src/pixstore/codec.py", "from pixstore import dataset"),
    (imports_point_down, "src/pixstore/rows.py", "import pixstore"),
    (imports_point_down, "src/pixstore/somewhere.py", ""),
    (imports_have_no_circle, "src/pixstore/rows.py", "from pixstore.schema import a"),
    (engines_do_not_know_each_other, "src/pixstore/engines/packed.py", "from pixstore.engines.lmdb import ENGINE as OTHER"),
    (engines_do_not_know_each_other, "src/pixstore/engines/packed.py", "from pixstore.engines import lmdb"),
    (libraries_stay_in_their_rooms, "src/pixstore/dataset.py", "import h5py"),
    (libraries_stay_in_their_rooms, "src/pixstore/bench/plan.py", "from lmdb import open"),
    (libraries_stay_in_their_rooms, "src/pixstore/jax.py", "import torch.utils.data"),
    (libraries_stay_in_their_rooms, "src/pixstore/codec.py", "import pixstore_native"),
    (imports_stand_at_the_top, "src/pixstore/codec.py", "def f():\n    import json"),
    (imports_stand_at_the_top, "src/pixstore/codec.py", "from importlib import import_module\nimport_module('json')"),
    (no_foreign_code_runs, "src/pixstore/codec.py", "import pickle\npickle.loads(b'')"),
    (no_foreign_code_runs, "src/pixstore/codec.py", "from pickle import loads as read\nread(b'')"),
    (no_foreign_code_runs, "src/pixstore/codec.py", "import pickle as p\nrun = p.Unpickler"),
    (no_foreign_code_runs, "src/pixstore/codec.py", "import numpy as np\nnp.load('a.npy', allow_pickle=True)"),
    (no_foreign_code_runs, "src/pixstore/codec.py", "from pickle import *\nloads(b'')"),
    (no_foreign_code_runs, "src/pixstore/codec.py", "import pickle\ngetattr(pickle, 'loads')(b'')"),
    (no_foreign_code_runs, "src/pixstore/codec.py", "import shelve"),
    (no_foreign_code_runs, "src/pixstore/codec.py", "from torch import load as read\nread('a.pt')"),
    (no_foreign_code_runs, "src/pixstore/codec.py", "from numpy import load as read\nread('a.npy')"),
    (no_foreign_code_runs, "src/pixstore/codec.py", "import pandas as pd\npd.read_pickle('a.pkl')"),
    (no_foreign_code_runs, "src/pixstore/codec.py", "import subprocess\nsubprocess.run('ls', shell=True)"),
    (no_foreign_code_runs, "src/pixstore/codec.py", "archive.extractall('.')"),
    (no_foreign_code_runs, "src/pixstore/codec.py", "eval('1')"),
    (packages_hold_public_names_only, "src/pixstore/bench/__init__.py", "def f(): ..."),
    (names_say_what_things_are, "src/pixstore/utils.py", ""),
    (names_say_what_things_are, "src/pixstore/loader/order_v2.py", ""),
    (names_say_what_things_are, "src/pixstore/codec.py", "class LegacyReader: ..."),
    (every_module_has_its_tests, "src/pixstore/bench/plan.py", ""),
    (native_code_is_a_third_at_most, "native/core/src/lib.rs", "fn a() {}\n" * 20),
)


@pytest.mark.parametrize(("rule", "path", "text"), FAULTS, ids=[f"{rule.__name__}-{number}" for number, (rule, _, _) in enumerate(FAULTS)])
def test_rule_catches(rule: Callable[[House], Iterator[str]], path: str, text: str, tmp_path: Path) -> None:
    sound = {
        "src/pixstore/__init__.py": "",
        "src/pixstore/schema.py": "from pixstore import rows\n",
        "src/pixstore/engines/lmdb.py": "import lmdb\nENGINE = 1\n",
        "src/pixstore/engines/packed.py": "ENGINE = 2\n",
        "src/pixstore/rows.py": "\n",
        "src/pixstore/dataset.py": "from pixstore import codec\n",
        "src/pixstore/codec.py": "from pixstore.schema import Format\n",
        "tests/test_schema.py": "",
        "tests/test_rows.py": "",
        "tests/test_dataset.py": "",
        "tests/test_codec.py": "",
        "tests/engines/test_lmdb.py": "",
        "tests/engines/test_packed.py": "",
        "native/core/src/lib.rs": "fn a() {}\n",
    }
    write_tree(tmp_path, sound)
    assert list(rule(House.at(tmp_path))) == []
    write_tree(tmp_path, {path: text})
    assert len(list(rule(House.at(tmp_path)))) >= 1


def write_tree(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_document_draws_every_room(house: House) -> None:
    drawing = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8").split("```")[1]
    words = set(re.findall(r"[a-z_]+", drawing))
    assert {module.room for module in house.modules.values() if module.name} <= words


def test_import_for_types_alone_is_no_import(tmp_path: Path) -> None:
    write_tree(tmp_path, {"src/pixstore/rows.py": "if TYPE_CHECKING:\n    from pixstore.dataset import Dataset\n"})
    assert list(imports_point_down(House.at(tmp_path))) == []


def test_tests_inside_a_rust_file_do_not_count(tmp_path: Path) -> None:
    tests = "#[cfg(test)]\nmod tests {\n" + "// a\n" * 50 + "}\n"
    write_tree(tmp_path, {"native/a.rs": "fn a() {}\n" + tests, "src/pixstore/rows.py": "a = 1\n" * 2})
    assert list(native_code_is_a_third_at_most(House.at(tmp_path))) == []
