import gzip
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flagrank.files.output import write_whole
from flagrank.triage.errors import FileRefused


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.csv"


def write_half(out: Path) -> None:
    with write_whole(out, is_gzip=False) as stream:
        stream.write(b"half")
        raise KeyboardInterrupt


def test_the_file_appears_when_the_block_ends(out: Path) -> None:
    with write_whole(out, is_gzip=False) as stream:
        stream.write(b"whole")
        assert not out.exists()
    assert out.read_bytes() == b"whole"
    assert list(out.parent.iterdir()) == [out]


def test_nothing_is_left_of_a_block_that_fails(out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_half(out)
    assert not list(out.parent.iterdir())


def test_an_earlier_file_stays_until_the_new_one_is_whole(out: Path) -> None:
    out.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_half(out)
    assert out.read_bytes() == b"old"
    with write_whole(out, is_gzip=False) as stream:
        stream.write(b"new")
    assert out.read_bytes() == b"new"


def test_a_link_is_followed_and_stays_one(out: Path) -> None:
    target = out.with_name("target.csv")
    out.symlink_to(target)
    with write_whole(out, is_gzip=False) as stream:
        stream.write(b"whole")
    assert out.is_symlink()
    assert target.read_bytes() == b"whole"


def test_its_mode_is_what_the_umask_says(out: Path) -> None:
    with write_whole(out, is_gzip=False):
        pass
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(out.stat().st_mode) == 0o666 & ~umask


def test_equal_content_gives_equal_gzip_files(out: Path) -> None:
    contents = []
    for name in ("a.csv.gz", "b.csv.gz"):
        with write_whole(out.with_name(name), is_gzip=True) as stream:
            stream.write(b"same")
        contents.append(out.with_name(name).read_bytes())
    assert contents[0] == contents[1]
    assert gzip.decompress(contents[0]) == b"same"


def test_two_runs_do_not_write_one_file_at_once(out: Path) -> None:
    with write_whole(out, is_gzip=False) as stream:
        stream.write(b"first")
        with pytest.raises(FileRefused, match="Another run is writing"), write_whole(out, is_gzip=False):
            pass
    assert out.read_bytes() == b"first"


KILLED = """
import os, signal, sys
from pathlib import Path
from flagrank.files.output import write_whole

with write_whole(Path(sys.argv[1]), is_gzip=False) as stream:
    stream.write(bytes(10_000_000))
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_leaves_no_output_and_the_next_one_takes_its_place_over(out: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, out], check=False).returncode == -9
    assert not out.exists()
    with write_whole(out, is_gzip=False) as stream:
        stream.write(b"whole")
    assert out.read_bytes() == b"whole"
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("is_gzip", [False, True])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(out: Path, is_gzip: bool) -> None:  # noqa: FBT001 - pytest's
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(FileRefused, match="can't be written: File too large") as refusal:
            write_noise(out, is_gzip=is_gzip)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(out) in refusal.value.detail
    assert not list(out.parent.iterdir())


def write_noise(out: Path, *, is_gzip: bool) -> None:
    with write_whole(out, is_gzip=is_gzip) as stream:
        for _ in range(100):
            stream.write(os.urandom(10_000))
