"""The chat's conversation: branches, votes and ratings in the store, blindness, and hostile answers shown inertly."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from datasets_src.interactions.read import read_votes
from datasets_src.interactions.records import InteractionFilter
from datasets_src.interactions.store import Interactions
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from ui import chat_acts, conversation
from ui.chat_models import DEFAULTS, DRAFT, keep_settings, newest_pair, settings_of
from ui.chat_view import conversation_html
from ui.conversation import (
    PACE,
    Turn,
    answers_of,
    ask,
    begin_conversation,
    history,
    read_conversation,
    show_branch,
    shown_answers,
)  # fmt: skip
from ui.drafts import save_draft
from ui.inert import MOST_CHARACTERS, inert

MODELS = ["embedded", "job:fast"]
SETTINGS = [dict(DEFAULTS) for _ in range(4)]


@pytest.fixture
def job(workspace: Workspace) -> JobDirectory:
    """A chat job whose answers the test writes."""
    path = workspace.new_job_path("chat")
    return JobDirectory.create(path, kind="chat", title="chat", spec={"models": MODELS}, resource=None)


def write(job: JobDirectory, turn: Turn, *texts: str) -> None:
    """Let the models answer, by their places in the job."""
    for voice, text in enumerate(texts):
        figures = {
            "seconds": 1.0,
            "tokens": 3,
            "time_to_first_token": 0.25,
            "memory_bytes": 270_000_000,
            "shared_by": 2,
        }
        job.reply(turn.request, {"voice": voice, "text": text})
        job.reply(turn.request, {"voice": voice, "done": True, "prompt": [[1, "<s>"]], "prompt_tokens": 1, **figures})
    job.reply(turn.request, {"finished": True})


def asked(workspace: Workspace, job: JobDirectory, text: str, *answers: str, blind: bool = False) -> Turn:
    turn = ask(workspace, job, text, SETTINGS, parent=read_conversation(workspace).at, blind=blind)
    write(job, turn, *answers)
    return turn


def last(workspace: Workspace) -> Turn:
    return read_conversation(workspace).path()[-1]


def test_each_model_knows_its_own_answers_and_the_page_shows_figures(workspace: Workspace, job: JobDirectory) -> None:
    asked(workspace, job, "Hello?", "Hi", "UP")
    second = asked(workspace, job, "Again?", "Yes", "No")
    path = read_conversation(workspace).path()
    assert [each["content"] for each in history(workspace, path[:1], 1)] == ["Hello?", "UP"]
    assert [answer.text for answer in answers_of(workspace, second)] == ["Yes", "No"]
    html = conversation_html(Workspace(workspace.root), {"job:fast": "Fast one"})
    for words in ("Hello?", "A · embedded", "B · Fast one", "3 tokens in 1.0 s (3 tokens/s)", "first after 0.25 s"):
        assert words in html
    assert "0.27 GB, shared by 2" in html


def test_a_question_that_is_edited_is_a_branch_and_both_stay(workspace: Workspace, job: JobDirectory) -> None:
    first = asked(workspace, job, "Hello?", "Hi", "UP")
    follow = asked(workspace, job, "More?", "a", "b")
    other = ask(workspace, job, "Hello!", SETTINGS, parent=first.parent)
    write(job, other, "Ho", "DOWN")
    assert [turn.text for turn in read_conversation(workspace).path()] == ["Hello!"]
    assert "2 of 2" in conversation_html(workspace, {})
    show_branch(workspace, first.id)
    assert last(workspace).id == follow.id, "the branch's end is shown"
    assert "1 of 2" in conversation_html(workspace, {})


def test_a_model_that_failed_says_why_and_the_others_answer(workspace: Workspace, job: JobDirectory) -> None:
    turn = ask(workspace, job, "Hello?", SETTINGS, parent=None)
    error = {"what": "ollama:x gave no answer.", "why": "timeout", "fix": "Check that it runs."}
    job.reply(turn.request, {"voice": 0, "done": True, "error": error})
    write(job, turn, "", "Hi")
    html = conversation_html(workspace, {})
    assert "ollama:x gave no answer. timeout Check that it runs." in html and "Hi" in html


def test_sampling_is_kept_for_each_model_and_checked(workspace: Workspace) -> None:
    values = [value for place in range(4) for value in (f"Be {place}.", 0.5, 1.0, 200.0, place)]
    keep_settings(workspace, values)
    assert settings_of(workspace)[2] == {
        "system": "Be 2.", "temperature": 0.5, "top_p": 1.0, "max_new_tokens": 200, "seed": 2,
    }  # fmt: skip
    with pytest.raises(BadInput, match="temperature"):
        keep_settings(workspace, ["", 9.0, 1.0, 200, 0] * 4)
    assert settings_of(workspace)[0]["temperature"] == 0.5, "what was right stays"


def test_a_vote_is_kept_with_all_that_repeats_it_and_names_come_out(workspace: Workspace, job: JobDirectory) -> None:
    save_draft(workspace, conversation.DRAFT, blind=True)
    turn = asked(workspace, job, "2+2?", "four", "five", blind=True)
    assert "embedded" not in conversation_html(workspace, {}) and "job:fast" not in conversation_html(workspace, {})
    chat_acts.vote(workspace, turn, "b", "it is wrong but nice")
    (vote,) = Interactions(workspace).find_votes()
    texts = {"embedded": "four", "job:fast": "five"}
    assert (vote.answer_a, vote.answer_b) == (texts[vote.model_a], texts[vote.model_b])
    assert vote.blind and vote.preferred == "b" and vote.comment == "it is wrong but nice"
    assert vote.sampling == {"a": SETTINGS[0], "b": SETTINGS[0]}
    assert vote.prompt == [{"role": "user", "content": "2+2?"}]
    assert "embedded" in conversation_html(workspace, {}), "the vote shows who was who"
    with pytest.raises(BadInput, match="was voted on"):
        chat_acts.vote(workspace, last(workspace), "a", "")
    (pair,) = [row.values for row in read_votes(workspace, InteractionFilter())]
    assert pair["chosen"][0]["content"] == vote.answer_b


def test_votes_that_tell_no_better_answer_make_no_pair(workspace: Workspace, job: JobDirectory) -> None:
    for choice in ("tie", "bad"):
        chat_acts.vote(workspace, asked(workspace, job, f"{choice}?", "x", "y"), choice, "")
    assert Interactions(workspace).count_votes() == 2
    assert not list(read_votes(workspace, InteractionFilter()))


def test_after_a_vote_both_go_on_from_the_preferred_answer(workspace: Workspace, job: JobDirectory) -> None:
    turn = asked(workspace, job, "2+2?", "four", "five")
    chat_acts.vote(workspace, turn, "a", "")
    path = read_conversation(workspace).path()
    assert history(workspace, path, 0) == history(workspace, path, 1)
    assert history(workspace, path, 1)[-1]["content"] == "four"


def test_a_vote_on_answers_to_different_conversations_is_no_pair(workspace: Workspace, job: JobDirectory) -> None:
    asked(workspace, job, "Hello?", "Hi", "UP")
    chat_acts.vote(workspace, asked(workspace, job, "And?", "x", "y"), "a", "")
    assert not list(read_votes(workspace, InteractionFilter()))


def test_ratings_and_corrections_are_kept_once_for_each_answer(workspace: Workspace, job: JobDirectory) -> None:
    asked(workspace, job, "2+2?", "four", "five")
    chat_acts.rate(workspace, last(workspace), "B", good=True)
    chat_acts.correct(workspace, last(workspace), "B", "4", "in figures")
    (kept,) = Interactions(workspace).find()
    assert (kept.answer, kept.edit, kept.rating, kept.comment, kept.model) == ("five", "4", 5, "in figures", "job:fast")
    assert kept.sampling == SETTINGS[1] and kept.answer_tokens == 3


def test_prompts_of_a_list_come_in_turn_each_in_a_conversation_of_its_own(
    workspace: Workspace, job: JobDirectory
) -> None:
    save_draft(workspace, conversation.DRAFT, prompts="one\n\ntwo\n")
    asked(workspace, job, "before", "x", "y")
    assert chat_acts.next_prompt(workspace) == "one"
    assert read_conversation(workspace).path() == []
    assert chat_acts.next_prompt(workspace) == "two"
    with pytest.raises(Missing, match="All 2 prompts"):
        chat_acts.next_prompt(workspace)


class Watcher:
    """A script in the browser: it keeps every version of the page, and guesses which answer the slow model gave."""

    def __init__(self) -> None:
        self.pages: list[str] = []

    def sees(self, page: str) -> None:
        self.pages.append(page)

    def guesses(self) -> list[float]:
        """For each way of guessing: 0 says A is the slow one, 1 says B, 0.5 nothing to tell them apart by."""
        return [self._later_text(), self._slower_text(), self._later_end(), self._by_markup()]

    def _texts(self, page: str) -> list[str]:
        return re.findall(r'<div class="text">(.*?)</div>', page, flags=re.S)

    def _first(self, side: int) -> int:
        empty = self._texts(self.pages[0])[side]
        return next(at for at, page in enumerate(self.pages) if self._texts(page)[side] != empty)

    def _later_text(self) -> float:
        return _later(self._first(0), self._first(1))

    def _slower_text(self) -> float:
        """How long the first ten characters took."""
        took = []
        for side in (0, 1):
            whole = self._texts(self.pages[-1])[side][:10]
            took.append(next(at for at, page in enumerate(self.pages) if self._texts(page)[side].startswith(whole)))
        return _later(took[0] - self._first(0), took[1] - self._first(1))

    def _later_end(self) -> float:
        ends = []
        for side in (0, 1):
            whole = self._texts(self.pages[-1])[side]
            # Longer answers take longer to appear whoever wrote them.
            ends.append(
                next(at for at, page in enumerate(self.pages) if self._texts(page)[side] == whole) - len(whole) / 30
            )
        return 0.5 if abs(ends[0] - ends[1]) <= 1 else _later(*ends)

    def _by_markup(self) -> float:
        """Whether anything but the texts and letters differs between the two answers."""
        marks = []
        for page in self.pages:
            for letter, block in zip(
                "AB", re.findall(r'<div class="answer .*?(?=<div class="answer |$)', page, flags=re.S), strict=False
            ):
                bare = re.sub(r'<div class="text">.*?</div>', "", block, flags=re.S)
                marks.append(
                    (
                        letter,
                        bare.replace(f"<b>{letter}</b>", "").replace(f":{letter}", "").split('<div class="vote"')[0],
                    )
                )
        sides = [[mark.rstrip("</div>") for letter, mark in marks if letter == known] for known in "AB"]
        return 0.5 if sides[0] == sides[1] else 0.0


def _later(a: float, b: float) -> float:
    return 0.5 if a == b else float(b > a)


def test_nobody_guesses_the_slow_model_before_the_vote(
    workspace: Workspace, job: JobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred shuffles of a model with 10 characters a poll and one with 2, seen at every poll until the vote."""
    chance = random.Random(7)
    monkeypatch.setattr(conversation.random, "SystemRandom", lambda: chance)
    right = [0.0] * 4
    slow_first = 0
    for shuffle in range(100):
        begin_conversation(workspace)
        turn = ask(workspace, job, f"Question {shuffle}?", SETTINGS, parent=None, blind=True)
        watcher = Watcher()
        texts = ["".join(chance.choice("abcdefgh ") for _ in range(chance.randint(20, 60))) for _ in range(2)]
        pace, clock, said = (10, 2), 1_000.0, [0, 0]
        while not all(answer.done for answer in _seen(workspace, watcher, clock, monkeypatch)):
            clock += 0.2
            for voice, text in enumerate(texts):
                if said[voice] < len(text):
                    job.reply(turn.request, {"voice": voice, "text": text[said[voice] : said[voice] + pace[voice]]})
                    said[voice] += pace[voice]
                    if said[voice] >= len(text):
                        job.reply(turn.request, {"voice": voice, "done": True, "seconds": clock, "tokens": 9})
        slow = last(workspace).voices.index(1)
        slow_first += slow == 0
        right = [total + 1 - abs(slow - guess) for total, guess in zip(right, watcher.guesses(), strict=True)]
        assert not any(model in page for page in watcher.pages for model in (*MODELS, "tokens/s", '"voice"'))
    assert 30 < slow_first < 70, "the sides have to be shuffled for this to say anything"
    assert max(right) <= 60, f"right guesses of 100: {right}"


def _seen(workspace: Workspace, watcher: Watcher, clock: float, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Show the page to the watcher at a moment; the answers as shown."""
    monkeypatch.setattr("ui.chat_view.time.time", lambda: clock)
    watcher.sees(conversation_html(workspace, {}))
    return shown_answers(workspace, last(workspace), False, clock)


HOSTILE = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "quotes": "\"' onmouseover='alert(1)' data-do=\"vote\"",
    "ansi": "\x1b[31mred\x1b[0m\x07 \x1b]0;title\x07",
    "direction": "safe\u202etxt.exe",
    "surrogate": "half \ud83d of a sign",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_are_shown_and_do_nothing(workspace: Workspace, job: JobDirectory, name: str) -> None:
    html = inert(HOSTILE[name])
    assert "<script" not in html and "<img" not in html and "\x1b" not in html and "\u202e" not in html
    assert html.startswith('<span translate="no">') and html.endswith("</span>")
    written = html.removeprefix('<span translate="no">').removesuffix("</span>")
    assert not set(written) & set("'\"<>")
    html.encode("utf-8")
    if name != "surrogate":
        asked(workspace, job, HOSTILE[name], HOSTILE[name], "fine")
        page = conversation_html(workspace, {})
        assert page.count('data-do="') == page.count('type="button"'), "no button but our own"
        assert "<script" not in page and "\x1b" not in page


def test_a_megabyte_without_a_line_break_is_cut_and_counted(workspace: Workspace, job: JobDirectory) -> None:
    asked(workspace, job, "Go on", "a" * 1_000_000, "again " * 200_000)
    page = conversation_html(workspace, {})
    assert len(page) < 3 * MOST_CHARACTERS
    assert f"{1_000_000 - MOST_CHARACTERS:,} more characters" in page


def test_a_blind_answer_appears_at_the_same_pace_whoever_wrote_it(workspace: Workspace, job: JobDirectory) -> None:
    turn = asked(workspace, job, "Go", "a" * 400, "b" * 400, blind=True)
    assert [answer.text for answer in shown_answers(workspace, turn, False, 50.0)] == ["", ""]
    shown = shown_answers(workspace, last(workspace), False, 51.0)
    assert [len(answer.text) for answer in shown] == [PACE, PACE] and not shown[0].done
    assert all(answer.done for answer in shown_answers(workspace, last(workspace), False, 60.0))


def test_a_training_that_ends_is_compared_next_unless_others_were_chosen(workspace: Workspace) -> None:
    assert newest_pair(workspace) == ""
    job = JobDirectory.create(
        workspace.jobs / "20260101-000000-train-0001",
        kind="train",
        title="T",
        spec={"model": "embedded", "data": "d"},
        resource=None,
    )
    job.write_status(Status(State.SUCCEEDED))
    assert newest_pair(workspace) == f"embedded job:{job.id}"
    save_draft(workspace, DRAFT, models=["embedded", "other"])
    assert newest_pair(workspace) == ""
