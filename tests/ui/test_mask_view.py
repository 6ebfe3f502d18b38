"""A row as its tokens: which are trained, where training cuts, and that every character is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jobs.errors import BadInput
from models.chat_template import ChatTokenizer
from models.embedded import wheel_weights, write_tokenizer
from tests.toys import CHATML
from ui.mask_view import MOST_TOKENS, Piece, Sight, mask_of, pieces

TOKEN = re.compile(r'<span class="([^"]*)" title="token ([\d,]+) · id (\d+)" translate="no">(.*?)</span>', re.DOTALL)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> ChatTokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    weights = wheel_weights()
    assert weights is not None
    write_tokenizer(weights, folder)
    (folder / "chat_template.jinja").write_text(CHATML, encoding="utf-8")
    return ChatTokenizer.load(folder)


def row(answer: str, question: str = "Two and two?") -> dict[str, object]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def tokens(html: str) -> list[tuple[str, str]]:
    """Class and text of each token."""
    return [(names, text) for names, _, _, text in TOKEN.findall(html)]


def sight(tokenizer: ChatTokenizer, max_length: int | None = None) -> Sight:
    return Sight(tokenizer, "tiny", max_length)


def test_only_the_answer_and_its_end_are_coloured(tokenizer: ChatTokenizer) -> None:
    html = mask_of(row("Four."), sight(tokenizer)).html
    trained = "".join(text for names, text in tokens(html) if "trained" in names)
    assert trained == "Four.&lt;|im_end|&gt;"
    assert "<b>17 tokens</b> by the tokenizer of tiny, 3 of them trained" in html


def test_special_tokens_and_line_ends_are_visible(tokenizer: ChatTokenizer) -> None:
    shown = tokens(mask_of(row("Four."), sight(tokenizer)).html)
    assert ("given special", "&lt;|im_start|&gt;") in shown and ("trained special", "&lt;|im_end|&gt;") in shown
    assert ("given", "⏎<br>") in shown


def test_what_lies_beyond_the_context_length_is_struck_through_behind_a_line(tokenizer: ChatTokenizer) -> None:
    html = mask_of(row("One, two, three, four, five, six, seven."), sight(tokenizer, 24)).html
    before, after = html.split('<span class="cut-line">training cuts here, at 24 tokens</span>')
    assert len(tokens(before)) == 24 and not any("cut" in names for names, _ in tokens(before))
    assert tokens(after) and all("cut" in names for names, _ in tokens(after))
    assert "Training cuts it at 24 tokens" in html
    assert "; 11 trained tokens are left" in html
    assert "all there was to learn" in mask_of(row("Four."), sight(tokenizer, 12)).html
    assert "the last 1 are lost, but nothing that is trained" in mask_of(row("Four."), sight(tokenizer, 16)).html
    assert "fits into the context length of 64" in mask_of(row("Four."), sight(tokenizer, 64)).html


def test_a_character_of_several_tokens_shows_once_and_nothing_is_lost(tokenizer: ChatTokenizer) -> None:
    text = "Schöne Grüße 🦊 你好, über  alles\n\tEnde 漢"
    shown = list(pieces(tokenizer, tokenizer.tokenise_text(text)))
    assert "".join(piece.text for piece in shown).startswith(text)
    assert "\ufffd" not in "".join(piece.text for piece in shown)
    assert any(piece == Piece(piece.id, "", True, False) for piece in shown)


def test_a_long_row_draws_its_first_tokens_until_all_are_asked_for(tokenizer: ChatTokenizer) -> None:
    long = row("word " * (MOST_TOKENS + 500))
    short = mask_of(long, sight(tokenizer))
    assert short.long and len(tokens(short.html)) == MOST_TOKENS and "more tokens" in short.html
    whole = mask_of(long, sight(tokenizer), everything=True)
    assert len(tokens(whole.html)) > MOST_TOKENS + 500 and "more tokens" not in whole.html
    assert not mask_of(row("Four."), sight(tokenizer)).long


def test_a_preference_shows_both_answers_as_they_are_trained(tokenizer: ChatTokenizer) -> None:
    said = [{"role": "assistant", "content": answer} for answer in ("Four.", "Five.")]
    pair = {"prompt": [{"role": "user", "content": "Two and two?"}], "chosen": said[:1], "rejected": said[1:]}
    chosen, rejected = mask_of(pair, sight(tokenizer)).html.split("With the rejected answer")
    assert ("trained", "Four") in tokens(chosen) and ("trained", "Five") in tokens(rejected)


def test_a_bad_answer_says_that_fine_tuning_leaves_it_out(tokenizer: ChatTokenizer) -> None:
    question, answer = row("Five.")["messages"]  # type: ignore[misc]
    bad = {"prompt": [question], "completion": [answer], "label": False}
    assert "fine-tuning leaves the row out" in mask_of(bad, sight(tokenizer)).html
    assert "leaves the row out" not in mask_of({**bad, "label": True}, sight(tokenizer)).html


def test_all_of_a_plain_text_is_trained(tokenizer: ChatTokenizer) -> None:
    shown = tokens(mask_of({"text": "Once upon a time"}, sight(tokenizer)).html)
    assert shown and all("trained" in names for names, _ in shown)


def test_a_row_that_the_template_refuses_is_an_error_in_words(tokenizer: ChatTokenizer, tmp_path: Path) -> None:
    refusing = tmp_path / "refusing"
    refusing.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (refusing / name).write_bytes((tokenizer.folder / name).read_bytes())
    (refusing / "chat_template.jinja").write_text("{{ raise_exception('No system turns.') }}", encoding="utf-8")
    with pytest.raises(BadInput, match="refuses"):
        mask_of(row("Four."), sight(ChatTokenizer.load(refusing)))


def test_a_row_that_cannot_be_read_has_no_tokens(tokenizer: ChatTokenizer) -> None:
    assert "can't be used" in mask_of({"raw": {"x": 1}, "source": "a", "row": 1}, sight(tokenizer)).html
