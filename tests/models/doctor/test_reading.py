"""Reading facts: from this machine, and from what other systems would have said."""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from models.doctor.facts import Sleep
from models.doctor.reading import read_facts, read_ollama
from models.doctor.reading.cards import has_nvidia_card
from models.doctor.reading.libraries import CUDA_LINE, VERSION_LINE, cuda_versions
from models.doctor.reading.place import file_system_of, locks_hold, read_place
from models.doctor.reading.sleep import gnome_sleep, mac_sleep, windows_sleep
from models.doctor.reading.trying import run_program
from tests.ui.page_process import free_port

CUDA_BUILD = "__version__ = '2.10.0+cu128'\ndebug = False\ncuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n"
PROCESSOR_BUILD = "__version__ = '2.10.0+cpu'\ndebug = False\ncuda: Optional[str] = None\nhip: Optional[str] = None\n"
POWERCFG = """
    Possible Settings units: Seconds
    Minimum Possible Setting: 0x00000000
    Maximum Possible Setting: 0xffffffff
    Current AC Power Setting Index: 0x00000708
    Current DC Power Setting Index: 0x0000012c
"""
PMSET = "Battery Power:\n sleep                1\nAC Power:\n disksleep            10\n sleep                15\n"


def test_this_machines_facts_are_read_without_torch(tmp_path: Path) -> None:
    facts = read_facts(tmp_path / "not" / "yet")
    assert facts.python == tuple(sys.version_info[:3])
    assert facts.libraries.versions["torch"].startswith("2.")
    assert facts.place.free > 0 and facts.place.file_system != "unknown"
    assert facts.tried is None
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize(
    ("text", "cuda", "version"), [(CUDA_BUILD, "12.8", "2.10.0+cu128"), (PROCESSOR_BUILD, None, "2.10.0+cpu")]
)
def test_torchs_own_file_tells_what_it_was_built_for(text: str, cuda: str | None, version: str) -> None:
    match = CUDA_LINE.search(text)
    assert (match["version"] if match else None) == cuda
    found = VERSION_LINE.search(text)
    assert found and found["version"] == version


def test_bitsandbytes_files_tell_its_cuda_versions() -> None:
    files = ["libbitsandbytes_cpu.so", "libbitsandbytes_cuda128.so", "libbitsandbytes_cuda130.dll", "nn.py"]
    assert cuda_versions(files) == ("128", "130")


def test_the_innermost_mount_tells_the_file_system() -> None:
    mounts = [("/", "ext4"), ("/mnt/c", "9p"), ("/home", "ext4"), ("/home", "nfs4")]
    assert file_system_of(PurePosixPath("/mnt/c/Users"), mounts) == "9p"
    assert file_system_of(PurePosixPath("/mnt/cold"), mounts) == "ext4"
    assert file_system_of(PurePosixPath("/home/anna"), mounts) == "nfs4"
    assert file_system_of(PureWindowsPath("D:\\hearth"), [("C:\\", "NTFS"), ("D:\\", "exFAT")]) == "exFAT"
    assert file_system_of(PurePosixPath("/a"), []) == "unknown"


def test_locks_hold_here_and_trying_them_leaves_nothing(tmp_path: Path) -> None:
    assert locks_hold(tmp_path / "not-yet")
    assert list(tmp_path.iterdir()) == []
    assert read_place(tmp_path).total > 0


def test_a_card_without_a_driver_is_seen_on_the_bus(tmp_path: Path) -> None:
    for name, vendor, kind in (("0", "0x8086", "0x030000"), ("1", "0x10de", "0x040300")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(f"{vendor}\n")
        (tmp_path / name / "class").write_text(f"{kind}\n")
    assert not has_nvidia_card(tmp_path)  # another maker's card, and a sound device
    (tmp_path / "1" / "class").write_text("0x030200\n")
    assert has_nvidia_card(tmp_path)
    assert not has_nvidia_card(tmp_path / "none")


def test_every_systems_sleep_setting_is_understood() -> None:
    assert windows_sleep(POWERCFG) == Sleep(30)
    assert windows_sleep(POWERCFG.replace("0x00000708", "0x00000000")) == Sleep(None)
    assert windows_sleep("") is None
    assert mac_sleep(PMSET) == Sleep(15)
    assert gnome_sleep("'suspend'\n", "uint32 1200\n") == Sleep(20)
    assert gnome_sleep("'nothing'\n", "uint32 1200\n") == Sleep(None)


def test_a_library_that_fails_says_why_and_one_that_hangs_is_ended() -> None:
    assert run_program("print('fine')", 30) == ("fine\n", None)
    assert run_program("raise OSError('libcuda.so.1: cannot open')", 30)[1] == "OSError: libcuda.so.1: cannot open"
    assert run_program("import time; time.sleep(60)", 0.5)[1] == "it didn't end within 0 seconds"


def test_an_ollama_that_is_not_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{free_port()}")
    assert read_ollama().version is None
    monkeypatch.setenv("OLLAMA_HOST", "ftp://nowhere")
    assert "can't be used" in read_ollama().address
