"""Stop texts that come in pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.engines.stopping import StopText

letters = st.text("ab", max_size=12)


@given(pieces=st.lists(letters, max_size=8), stops=st.lists(st.text("ab", min_size=1, max_size=3), max_size=3))
def test_what_is_let_out_is_the_text_before_the_first_stop_however_it_is_cut(
    pieces: list[str], stops: list[str]
) -> None:
    text = "".join(pieces)
    stop_text = StopText(stops)
    shown = ""
    for piece in pieces:
        shown += stop_text.add(piece)
        assert not any(stop in shown for stop in stops)
    if not stop_text.found:
        shown += stop_text.rest()
    places = [text.find(stop) for stop in stops if stop in text]
    # A stop is noticed as soon as it is whole, so that of two that overlap the one that ends first may win.
    assert text.startswith(shown)
    assert stop_text.found == bool(places)
    if not places:
        assert shown == text
