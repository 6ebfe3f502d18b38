"""What a person says of a job: tags and a note, kept in its folder; and finding jobs by any of their words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.directory import JobDirectory
from jobs.errors import BadInput

LONGEST_TAG = 40
MOST_TAGS = 20
LONGEST_NOTE = 4000
SEARCHED_OPTIONS = ("name", "model", "models", "data", "job", "task", "preset")


@dataclass(frozen=True)
class Annotations:
    """Tags in the order given, and a note."""

    tags: tuple[str, ...] = ()
    note: str = ""


def annotations_of(job: JobDirectory) -> Annotations:
    """What was said of a job; nothing at first."""
    written = job.notes or {}
    return Annotations(tuple(written.get("tags", ())), written.get("note", ""))


def annotate(job: JobDirectory, *, tags: Sequence[str] | None = None, note: str | None = None) -> Annotations:
    """Replace a job's tags, its note, or both; None leaves what is there. Raises BadInput for what can't be kept."""
    before = annotations_of(job)
    kept_tags = before.tags if tags is None else tuple(_usable_tags(tags))
    kept_note = before.note if note is None else note.strip()
    if len(kept_note) > LONGEST_NOTE:
        raise BadInput(
            f"The note has {len(kept_note):,} characters.",
            f"A note holds {LONGEST_NOTE:,} at most.",
            "Shorten it, or keep the long text in a file and name the file.",
        )
    after = Annotations(kept_tags, kept_note)
    if after != before:
        job.write_notes({"tags": list(after.tags), "note": after.note})
    return after


def split_tags(text: str) -> list[str]:
    """The tags in a line, with commas between them."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _usable_tags(tags: Iterable[str]) -> list[str]:
    stripped = list(dict.fromkeys(tag.strip().removeprefix("#") for tag in tags if tag.strip()))
    long = [tag for tag in stripped if len(tag) > LONGEST_TAG or "," in tag or "\n" in tag]
    if long:
        raise BadInput(
            f"'{long[0][:60]}' can't be a tag.",
            f"A tag is one line of at most {LONGEST_TAG} characters without a comma.",
            "Write a few short tags, with commas between them; a note takes longer text.",
        )
    if len(stripped) > MOST_TAGS:
        raise BadInput(f"{len(stripped)} tags are too many.", f"A job takes {MOST_TAGS} at most.", "Leave some out.")
    return stripped


def search(jobs: Iterable[JobDirectory], text: str) -> list[JobDirectory]:
    """The jobs in which every word of `text` occurs: in id, title, state, tags, note, or what the spec names."""
    words = text.lower().split()
    return [job for job in jobs if not words or _has_all(job, words)]


def _has_all(job: JobDirectory, words: Sequence[str]) -> bool:
    header, said = job.header, annotations_of(job)
    named = [value for option in SEARCHED_OPTIONS for value in _texts(header["spec"].get(option))]
    known = [job.id, str(header["title"]), str(header["kind"]), *said.tags, said.note, *named]
    found = "\n".join(known).lower()
    if all(word in found for word in words):
        return True
    found = f"{found}\n{job.status().state}"  # looked at last: a state that may be alive takes asking for its lock
    return all(word in found for word in words)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
