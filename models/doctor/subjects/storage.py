"""The disk that holds the workspace: room, speed, and whether locks hold on it."""

from __future__ import annotations

import shlex

from models.doctor.facts import Facts, Place
from models.doctor.finding import Finding
from models.hardware import GB

# Below the first a run can't even save itself; below the second exports of larger models fill the disk: an 8B model's
# 16-bit weights, the same as GGUF and one small file are 37 GB, a 1.5B model's 7 GB.
FULL = 2 * GB
TIGHT = 40 * GB
NAME = "Workspace"
WINDOWS_DRIVES = ("9p", "drvfs")
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "fuse.sshfs", "9p", "ceph", "glusterfs", "fuse.rclone")
OLD = ("vfat", "msdos", "fat", "fat32")
FOREIGN = ("exfat", "fuseblk", "ntfs", "ntfs3", "fuse.exfat")
IN_MEMORY = ("tmpfs", "ramfs")
IN_CONTAINER = ("overlay", "aufs")
ELSEWHERE = "hearth-workspace"


def find(facts: Facts) -> list[Finding]:
    return [_room(facts.place), _kind(facts)]


def _room(place: Place) -> Finding:
    seen = f"{place.free / GB:.1f} of {place.total / GB:.0f} GB of the workspace's disk are free."
    if place.free < FULL:
        why = "A run pauses when it can't save, and nothing can be exported."
        return Finding("Disk", "bad", seen, why, "python cli.py exports list", "Remove what you don't need any more:")
    if place.free < TIGHT:
        why = "Exporting an 8B model takes about 37 GB on the way, one of 1.5B about 7 GB."
        return Finding("Disk", "notice", seen, why, "python cli.py exports list", "To see what takes the room:")
    return Finding("Disk", "good", seen)


def _kind(facts: Facts) -> Finding:
    place, kind = facts.place, facts.place.file_system.lower()
    if facts.system == "wsl" and kind in WINDOWS_DRIVES:
        seen = f"The workspace lies on a Windows drive, seen from Linux ({place.path})."
        why = "Every file takes many times longer there, and the locks that keep jobs apart don't hold."
        return Finding(NAME, "bad", seen, why, _moved(place))
    if facts.tried is not None and facts.tried.locks is False:
        seen = f"Locks don't hold in the workspace ({place.path}, {place.file_system})."
        return Finding(NAME, "bad", seen, "Two jobs could use the card at once, and databases break.", _moved(place))
    if kind in NETWORK:
        seen = f"The workspace lies on another machine's disk ({place.file_system})."
        why = "Saving takes longer, and databases and locks don't always hold there."
        return Finding(NAME, "notice", seen, why, _moved(place))
    if kind in OLD:
        seen = f"The workspace's disk is formatted as {place.file_system}."
        return Finding(NAME, "bad", seen, "No file can be larger than 4 GB there, and most models are.", _moved(place))
    if kind in FOREIGN:
        seen = f"The workspace's disk is formatted for another system ({place.file_system})."
        return Finding(NAME, "notice", seen, "Many small files take longer there.", _moved(place))
    if kind in IN_MEMORY:
        seen = "The workspace lies in memory."
        return Finding(NAME, "notice", seen, "Everything in it is gone after a restart.", _moved(place))
    if kind in IN_CONTAINER:
        seen = "The workspace lies inside a container, not on a volume."
        why = "Everything in it is gone when the container is removed."
        return Finding(NAME, "notice", seen, why, "docker run -v hearth-workspace:/workspace …")
    return Finding(NAME, "good", f"The workspace lies on a local disk ({place.file_system}).")


def _moved(place: Place) -> str:
    """Copies the workspace into the home folder and has Hearth use it there; nothing is deleted."""
    target = f"~/{ELSEWHERE}"
    return f"cp -r {shlex.quote(str(place.path))} {target} && export HEARTH_WORKSPACE={target}"
