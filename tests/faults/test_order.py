"""The order of writing and syncing, engine by engine; and that the check would see a wrong one."""

from __future__ import annotations

import pytest

from faults.operations import OPERATIONS
from faults.order import MANIFEST, Judge, violations
from faults.samples import ENGINES
from faults.tracing import STRACE, Call, parsed, unescaped

STORE = "/s"
needs_strace = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


@needs_strace
@pytest.mark.parametrize("engine", ENGINES)
def test_everything_named_is_on_the_medium_before_the_manifest_names_it(engine: str) -> None:
    op = {"packed": "append", "files": "update", "lmdb": "update", "hdf5": "append"}.get(engine, "append")
    assert violations(engine, op) == []


def calls(*lines: str) -> list[Call]:
    return list(parsed("\n".join(f"7 {line}" for line in lines)))


SHARD = '{"table":{"name":"x.arrow"},"keys":null,"pixels":null,"borrows":[]}'
TEXT = f'{{"version":1,"splits":{{}},"shards":[{SHARD}]}}'.replace('"', '\\"')
SOUND = (
    'mkdir("/s/shards/x.partial", 0777) = 0',
    'openat(AT_FDCWD</>, "/s/shards/x.partial/x.arrow", O_WRONLY|O_CREAT|O_EXCL, 0666) = 3</s/shards/x.partial/x.arrow>',
    'write(3</s/shards/x.partial/x.arrow>, "abc", 3) = 3',
    "fsync(3</s/shards/x.partial/x.arrow>) = 0",
    'rename("/s/shards/x.partial/x.arrow", "/s/shards/x.arrow") = 0',
    "fsync(4</s/shards>) = 0",
    'openat(AT_FDCWD</>, "/s/versions/00000001.json", O_WRONLY|O_CREAT, 0666) = 5</s/versions/00000001.json>',
    "fsync(4</s/versions>) = 0",
    'openat(AT_FDCWD</>, "/s/manifest.json.partial", O_WRONLY|O_CREAT, 0666) = 6</s/manifest.json.partial>',
    f'write(6</s/manifest.json.partial>, "{TEXT}", 9) = 9',
    "fsync(6</s/manifest.json.partial>) = 0",
    'rename("/s/manifest.json.partial", "/s/manifest.json") = 0',
    "fsync(4</s>) = 0",
    'write(9<pipe:[1]>, "it is committed", 15) = 15',
)


def test_sound_order_is_accepted() -> None:
    judge = Judge(STORE).follow(calls(*SOUND))
    assert (judge.faults, judge.commits, judge.words) == ([], 1, 1)


@pytest.mark.parametrize("left_out", [line for line in SOUND if line.startswith("fsync")])
def test_every_sync_that_is_left_out_is_found(left_out: str) -> None:
    assert Judge(STORE).follow(calls(*(line for line in SOUND if line != left_out))).faults


def test_sync_that_began_before_the_last_write_does_not_count() -> None:
    lines = list(SOUND)
    lines[2:4] = [
        "fsync(3</s/shards/x.partial/x.arrow> <unfinished ...>",
        'write(3</s/shards/x.partial/x.arrow>, "abc", 3) = 3',
        "<... fsync resumed>) = 0",
    ]
    text = "\n".join(f"{8 if number == 3 else 7} {line}" for number, line in enumerate(lines))
    assert any("not synced" in each for each in Judge(STORE).follow(parsed(text)).faults)


def test_refused_sync_does_not_count() -> None:
    lines = [line.replace("= 0", "= -1 EIO (Input/output error)") if "fsync(6" in line else line for line in SOUND]
    assert any(MANIFEST in each for each in Judge(STORE).follow(calls(*lines)).faults)


def test_writing_to_a_sealed_file_is_found() -> None:
    late = 'write(3</s/shards/x.arrow>, "abc", 3) = 3'
    assert any("last name" in each for each in Judge(STORE).follow(calls(*SOUND, late)).faults)


def test_word_before_the_commit_is_found() -> None:
    assert any("before any commit" in each for each in Judge(STORE).follow(calls(SOUND[-1])).faults)


def test_file_that_was_never_made_is_found() -> None:
    assert any("never made" in each for each in Judge(STORE).follow(calls(*SOUND[5:])).faults)


def test_paths_are_read_as_strace_writes_them() -> None:
    call = calls(r'renameat2(AT_FDCWD</a b>, "c,\303\251", 5</x>, "d", 0) = 0')[0]
    assert (call.path(1), call.path(3)) == ("/a b/c,é", "/x/d") and unescaped(r"\t") == "\t"


def test_every_operation_is_looked_at() -> None:
    assert {"append", "update", "delete"} <= OPERATIONS.keys()
