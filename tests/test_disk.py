"""What the store asks of the file system: whole files or none, refusals in our words, network mounts recognised."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pixstore import disk, errors


def test_replace_puts_the_whole_file_or_leaves_the_former(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    disk.replace_file(path, b"one", durable=True)
    disk.replace_file(path, b"two", durable=False)

    def refused(descriptor: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(OSError, match="broken"):
        disk.replace_file(path, b"three", durable=True)
    assert path.read_bytes() == b"two" and os.listdir(tmp_path) == ["a"]


def test_replace_takes_no_offence_at_what_a_killed_process_left(tmp_path: Path) -> None:
    (tmp_path / f"a.{os.getpid()}.partial").write_bytes(b"half")
    disk.replace_file(tmp_path / "a", b"whole", durable=False)
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_write_file_never_writes_over(tmp_path: Path) -> None:
    disk.write_file(tmp_path / "a", b"one", durable=True)
    with pytest.raises(FileExistsError):
        disk.write_file(tmp_path / "a", b"two", durable=True)


def test_remove_takes_files_folders_and_nothing_but_not_what_a_link_names(tmp_path: Path) -> None:
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    for name in ("folder", "link", "nowhere"):
        disk.remove(tmp_path / name)
    assert os.listdir(tmp_path) == ["kept"]


def test_make_folders_syncs_every_new_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    disk.make_folders(tmp_path / "a" / "b", durable=True)
    assert set(synced) == {str(tmp_path), str(tmp_path / "a")}
    synced.clear()
    disk.make_folders(tmp_path / "a" / "b", durable=True)
    disk.make_folders(tmp_path / "c", durable=False)
    assert synced == [] and (tmp_path / "c").is_dir()


def test_bytes_of_counts_files_below(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"1" * 5000)
    (tmp_path / "y").write_bytes(b"1" * 10)
    apparent, allocated = disk.bytes_of(tmp_path)
    assert apparent == 5010 and allocated >= 5010 and disk.bytes_of(tmp_path / "y")[0] == 10


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.ENOSPC, errors.StoreFullError), (errno.EDQUOT, errors.StoreFullError), (errno.EFBIG, errors.StoreFullError),
                       (errno.EROFS, errors.ReadOnlyError), (errno.EACCES, errors.ReadOnlyError)])  # fmt: skip
def test_refusals_are_told_in_our_words_with_the_place(tmp_path: Path, code: int, kind: type[OSError]) -> None:
    with pytest.raises(kind, match=str(tmp_path)) as caught, disk.translated(tmp_path / "s", needed=1234):
        raise OSError(code, os.strerror(code))
    assert caught.value.errno == code and (kind is errors.ReadOnlyError or "1,234 bytes needed" in str(caught.value))


def test_other_errors_pass_unchanged(tmp_path: Path) -> None:
    for error in (OSError(errno.EINVAL, "broken"), OSError(errno.EIO, "broken", "/a/file"), errors.StoreFullError(errno.ENOSPC, "ours")):
        with pytest.raises(OSError, match=r"broken|ours") as caught, disk.translated(tmp_path):
            raise error
        assert caught.value is error


def test_folder_that_vanished_is_named(tmp_path: Path) -> None:
    words = rf"{tmp_path}/s/shards/x: gone while {tmp_path}/s was written"
    with pytest.raises(errors.PathNotFoundError, match=words) as caught, disk.translated(tmp_path / "s"):
        (tmp_path / "s" / "shards" / "x").mkdir()
    assert caught.value.errno == errno.ENOENT


@pytest.mark.parametrize(("code", "words"), [(errno.ENOSPC, "no space left"), (errno.EDQUOT, "quota"), (errno.EFBIG, "largest file")])
def test_which_limit_was_met_is_said_with_the_bytes_that_are_free(tmp_path: Path, code: int, words: str) -> None:
    with pytest.raises(errors.StoreFullError, match=rf"{words}.*, 7 bytes needed, [\d,]+ bytes free"), disk.translated(tmp_path, needed=7):
        raise OSError(code, os.strerror(code))


def test_file_system_without_inodes_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.statvfs_result((4096, 4096, 100, 50, 50, 1000, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    with pytest.raises(errors.StoreFullError, match=r"no inodes left.* bytes are free"), disk.translated(tmp_path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_medium_that_fails_is_told_with_the_place(tmp_path: Path) -> None:
    """A failed fsync knows no name of its own, what was opened in a folder none that says where."""
    for name in ((), ("start%2019.npy",)):
        with pytest.raises(OSError, match=r"medium.*fails.*committed before is kept") as caught, disk.translated(tmp_path):
            raise OSError(errno.EIO, os.strerror(errno.EIO), *name)
    assert caught.value.filename == str(tmp_path) and caught.value.errno == errno.EIO


def mountinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *mounts: tuple[bytes, str]) -> None:
    """Let the system tell of these mounts beside those it has."""
    lines = b"".join(b"36 35 98:0 / %s rw - %s host:/x rw\n" % (place, kind.encode()) for place, kind in [(b"/", "ext4"), *mounts])
    (tmp_path / "mountinfo").write_bytes(lines)
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: real(tmp_path / "mountinfo" if str(path) == "/proc/self/mountinfo" else path))


def test_network_mounts_are_recognised_by_the_longest_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mountinfo(
        tmp_path,
        monkeypatch,
        (b"/mnt/my\\040data", "nfs4"),
        (b"/mnt/my\\040data/local", "ext4"),
        ("/mnt/ü".encode(), "cifs"),
        (b"/mnt/\xff", "nfs"),
    )
    assert disk.is_network(Path("/mnt/my data/x")) and disk.is_network(Path("/mnt/ü/x")) and disk.is_network(Path("/mnt/my data"))
    assert not disk.is_network(Path("/mnt/my data/local/x")) and not disk.is_network(Path("/mnt/my database"))
    assert disk.is_network(Path(os.fsdecode(b"/mnt/\xff/x"))) and disk.file_system(Path("/etc")) == "ext4"


def test_unknown_mounts_are_taken_for_local(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(path: Path) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_bytes", absent)
    assert disk.file_system(Path("/")) == "" and not disk.is_network(Path("/"))
