"""What the doctor says of machines that tests play."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.doctor.facts import Cards, Facts, Holder, Ollama, Place, Sleep
from models.doctor.finding import Finding
from models.doctor.findings import examine, is_well, summary
from models.hardware import GB
from tests.models.doctor import machines
from tests.models.doctor.machines import LIBRARIES, NO_CARD, VERSIONS, card, one_card, tried, with_cards


def found(facts: Facts, name: str) -> Finding:
    return next(finding for finding in examine(facts) if finding.name == name)


def names(facts: Facts, state: str) -> list[str]:
    return [finding.name for finding in examine(facts) if finding.state == state]


@pytest.mark.parametrize("gb", [8, 12, 16, 24])
def test_a_sound_machine_with_a_card_has_nothing_to_mend_and_nothing_to_know(gb: float) -> None:
    findings = examine(tried(one_card(gb)))
    assert {finding.state for finding in findings} == {"good"}
    assert summary(findings) == f"All {len(findings)} checks are fine."
    assert f"{gb:.1f} GB" in found(one_card(gb), "Graphics card").seen
    assert found(one_card(gb), "Card's memory").seen.endswith("held by Xorg (0.3 GB).")


def test_without_a_card_the_processor_is_named_and_nothing_is_bad() -> None:
    assert names(NO_CARD, "bad") == []
    assert names(NO_CARD, "notice") == ["Graphics card"]
    assert "processor" in found(NO_CARD, "PyTorch").seen
    assert "Card's memory" not in [finding.name for finding in examine(NO_CARD)]


def test_a_card_whose_driver_is_missing_is_told_apart_from_no_card() -> None:
    silent = found(replace(NO_CARD, cards=Cards(silent=True)), "Graphics card")
    assert silent.state == "bad" and "no driver answers" in silent.seen
    assert silent.command == "sudo ubuntu-drivers install && sudo reboot"


def test_of_several_cards_the_larger_one_is_offered() -> None:
    several = found(machines.SEVERAL, "Several cards")
    assert several.state == "notice" and "NVIDIA GeForce RTX 4090 (24 GB)" in several.seen
    assert several.command == "CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=1 python app.py"
    alike = with_cards(card(24), card(24, index=1))
    assert found(alike, "Several cards").state == "good"


def test_hidden_cards_are_not_taken_for_none() -> None:
    hidden = found(replace(NO_CARD, cards=Cards(hidden=2, driver_cuda=(12, 8))), "Graphics card")
    assert hidden.seen == "CUDA_VISIBLE_DEVICES hides 2 cards." and hidden.command == "unset CUDA_VISIBLE_DEVICES"


def test_an_old_driver_is_named_with_what_it_speaks() -> None:
    finding = found(machines.OLD_DRIVER, "PyTorch")
    assert finding.state == "bad"
    assert "built for CUDA 12.8, but driver 470.256 speaks CUDA 11.4 at most" in finding.seen
    assert finding.command == "sudo ubuntu-drivers install && sudo reboot"


def test_a_driver_too_old_for_a_newer_torch_is_mended_by_the_one_that_hearth_asks_for() -> None:
    newer = replace(LIBRARIES, versions=VERSIONS | {"torch": "2.14.1+cu130"}, torch_cuda="13.0")
    finding = found(replace(one_card(12), libraries=newer), "PyTorch")
    assert finding.state == "bad"
    command = ".venv/bin/python -m pip install --force-reinstall torch==2.10.0 torchvision==0.25.0"
    assert finding.command == command


def test_a_driver_of_the_same_generation_is_only_worth_knowing() -> None:
    finding = found(with_cards(card(12, driver="535.1"), cuda=(12, 2)), "PyTorch")
    assert finding.state == "notice" and "works as a rule" in finding.matters


@pytest.mark.parametrize(
    ("compute", "cuda", "state"), [((6, 1), "12.8", "bad"), ((7, 0), "13.0", "bad"), ((7, 5), "13.0", "good")]
)
def test_cards_that_the_libraries_left_behind_are_told(compute: tuple[int, int], cuda: str, state: str) -> None:
    old = replace(card(11, "NVIDIA GeForce GTX 1080 Ti"), compute=compute)
    facts = replace(with_cards(old, cuda=(13, 0)), libraries=replace(LIBRARIES, torch_cuda=cuda))
    assert found(facts, "Graphics card").state == state


def test_torch_for_processors_beside_a_card_is_installed_again() -> None:
    finding = found(machines.PROCESSOR_TORCH, "PyTorch")
    assert finding.state == "bad" and "built for processors alone" in finding.seen
    assert finding.command.endswith("--force-reinstall torch==2.10.0 torchvision==0.25.0")
    on_windows = found(replace(machines.PROCESSOR_TORCH, system="windows"), "PyTorch")
    assert on_windows.command == "" and "WSL2" in on_windows.todo


def test_without_torch_everything_is_installed() -> None:
    bare = replace(one_card(12), libraries=replace(LIBRARIES, versions={}))
    assert found(bare, "PyTorch").command == ".venv/bin/python -m pip install -r requirements.txt"
    assert found(bare, "Unsloth").state == "notice"


def test_a_torch_that_does_not_see_the_card_is_bad_whatever_versions_say() -> None:
    assert found(tried(one_card(12), sees_card=False), "PyTorch").state == "bad"
    assert found(tried(one_card(12)), "PyTorch").seen.endswith("and it sees the card.")


def test_an_unsloth_that_cannot_be_imported_says_why() -> None:
    said = "ImportError: cannot import name 'x' from 'trl'"
    finding = found(tried(one_card(12), problems={"unsloth": said}), "Unsloth")
    assert finding.state == "bad" and said in finding.seen
    assert finding.command == ".venv/bin/python -m pip install --no-deps -r requirements-overlay.txt"
    assert "can be imported" in found(tried(one_card(12)), "Unsloth").seen


def test_kernels_for_another_version_are_told() -> None:
    other = replace(
        one_card(12), libraries=replace(LIBRARIES, xformers_torch="2.9.0+cu126", bitsandbytes_cuda=("126",))
    )
    assert found(other, "bitsandbytes").state == "bad"
    assert "built for PyTorch 2.9.0; 2.10.0+cu128 is installed" in found(other, "xformers").seen
    assert found(other, "xformers").state == "notice"


def test_a_full_disk_is_bad_and_a_tight_one_worth_knowing() -> None:
    full = found(machines.FULL_DISK, "Disk")
    assert full.state == "bad" and full.seen.startswith("0.4 of 500 GB")
    assert full.command == "python cli.py exports list"
    tight = replace(NO_CARD, place=replace(NO_CARD.place, free=round(20 * GB)))
    assert found(tight, "Disk").state == "notice"


def test_a_workspace_on_a_windows_drive_is_copied_into_linux() -> None:
    finding = found(machines.ON_WINDOWS_DRIVE, "Workspace")
    assert finding.state == "bad" and "Windows drive" in finding.seen
    assert finding.command == (
        "cp -r '/mnt/c/Users/Anna'\"'\"'s files/workspace' ~/hearth-workspace "
        "&& export HEARTH_WORKSPACE=~/hearth-workspace"
    )
    assert found(machines.ON_WINDOWS_DRIVE, "When the card is full").state == "notice"
    assert "When the card is full" not in [finding.name for finding in examine(one_card(12))]


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("ext4", "good"),
        ("nfs4", "notice"),
        ("vfat", "bad"),
        ("exfat", "notice"),
        ("tmpfs", "notice"),
        ("overlay", "notice"),
    ],
)
def test_each_kind_of_disk_is_judged(kind: str, state: str) -> None:
    place = Place(machines.WORKSPACE, kind, round(900 * GB), round(400 * GB))
    assert found(replace(NO_CARD, place=place), "Workspace").state == state


def test_a_disk_without_locks_is_bad() -> None:
    assert found(tried(NO_CARD, locks=False), "Workspace").state == "bad"


def test_without_a_network_what_still_works_is_said() -> None:
    finding = found(machines.NO_NETWORK, "Hugging Face Hub")
    assert finding.state == "notice" and "`embedded` work as ever" in finding.matters
    wanted = found(tried(NO_CARD, hub=False, offline_wanted=True), "Hugging Face Hub")
    assert wanted.command == "unset HF_HUB_OFFLINE"


def test_who_holds_the_cards_memory_is_named_and_ollama_can_be_unloaded() -> None:
    finding = found(machines.HELD_BY_OLLAMA, "Card's memory")
    assert finding.seen == "4.0 of 12.0 GB are free; held by ollama (7.4 GB), Xorg."
    assert finding.state == "notice" and finding.command == "python cli.py ollama unload"


def test_a_job_of_hearth_on_the_card_is_no_complaint() -> None:
    busy = with_cards(card(12, free=3), holders=(Holder("python", round(8.9 * GB), ours=True),))
    finding = found(busy, "Card's memory")
    assert finding.state == "good" and "a job of Hearth (8.9 GB)" in finding.seen


@pytest.mark.parametrize(
    ("ollama", "state", "command"),
    [
        (Ollama("http://a", False, None), "notice", "curl -fsSL https://ollama.com/install.sh | sh"),
        (Ollama("http://a", True, None), "notice", "ollama serve"),
        (Ollama("http://a", True, "0.4.9"), "bad", "curl -fsSL https://ollama.com/install.sh | sh"),
        (Ollama("http://a", True, "0.12.3-rc1"), "good", ""),
        (Ollama("http://a", True, "0.0.0"), "good", ""),
    ],
)
def test_ollama_is_installed_started_or_renewed(ollama: Ollama, state: str, command: str) -> None:
    finding = found(replace(NO_CARD, ollama=ollama), "Ollama")
    assert (finding.state, finding.command) == (state, command)


def test_a_machine_that_soon_sleeps_is_told_how_to_stay_awake() -> None:
    assert found(tried(NO_CARD, sleep=Sleep(30)), "Sleep").state == "notice"
    assert found(replace(tried(NO_CARD, sleep=Sleep(30)), system="wsl"), "Sleep").command.startswith("powercfg.exe")
    assert found(tried(NO_CARD, sleep=Sleep(None)), "Sleep").state == "good"
    assert "Power" in names(replace(NO_CARD, on_battery=True), "notice")


@pytest.mark.parametrize(("python", "state"), [((3, 10, 2), "bad"), ((3, 11, 0), "good"), ((3, 15, 0), "bad")])
def test_the_version_of_python_is_judged(python: tuple[int, ...], state: str) -> None:
    assert found(replace(NO_CARD, python=python), "Python").state == state


def test_what_is_bad_comes_first_and_every_remedy_has_a_reason() -> None:
    worst = replace(machines.ON_WINDOWS_DRIVE, libraries=machines.PROCESSOR_TORCH.libraries, memory_total=round(6 * GB))
    findings = examine(worst)
    assert not is_well(findings)
    assert [finding.state for finding in findings] == sorted(
        (finding.state for finding in findings), key="bad notice good".index
    )
    assert all(finding.matters and (finding.command or finding.todo) for finding in findings if finding.state != "good")
    assert summary(findings) == f"{len(findings)} checks: 2 to mend, 2 worth knowing."
