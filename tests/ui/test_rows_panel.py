"""The rows browser: what it shows and does, without a browser; and once in one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from datasets_src.browse import Filter
from datasets_src.build import check
from datasets_src.spec import DatasetSpec
from jobs.errors import BadInput
from jobs.workspace import Workspace
from models.embedded import wheel_weights, write_tokenizer
from tests.toys import write_rows
from tests.ui.page_process import free_port
from ui import edits, rows_panel, rows_state
from ui.drafts import save_draft
from ui.page import SKIP, Page, Settings
from ui.rows_actions import Actions
from ui.rows_layout import RowsPanel
from ui.rows_state import open_browser, read_view

ROWS = 60


def spec_of(workspace: Workspace, **options: Any) -> DatasetSpec:
    """60 sums, one of them twice, in a file of English and one of German questions."""
    sums = [{"prompt": f"What is {n} + {n}?", "completion": f"It is {2 * n}."} for n in range(ROWS - 10)]
    german = [{"prompt": f"Was ist {n} plus {n}?", "completion": f"Das ist {2 * n}."} for n in range(10)]
    sources = [
        {"path": str(write_rows(workspace.uploads / "sums.jsonl", [*sums, sums[3]])), "tag": "english", "weight": 2},
        {"path": str(write_rows(workspace.uploads / "german.jsonl", german)), "tag": "german"},
    ]
    values = {"name": "sums", "sources": sources, "near_duplicates": None, **options}
    return DatasetSpec.parse({**values, "edits": edits.edits_of(workspace)})


@dataclass
class Opened:
    """A panel over a folder of checked rows, and its handlers."""

    workspace: Workspace
    panel: RowsPanel
    actions: Actions
    folder: Path

    def check(self, **options: Any) -> None:
        """Check the rows again, with the edits that there are."""
        check(spec_of(self.workspace, **options), self.workspace, self.folder)

    def seen(self, values: list[Any], outputs: list[Any] | None = None) -> Callable[[Any], Any]:
        """What a component shows after a handler gave `values` for `outputs` (all of them, unless said)."""
        given = dict(zip(map(id, outputs or self.panel.outputs), values, strict=True))
        return lambda component: given[id(component)]

    def list(self) -> str:
        return str(self.seen(self.actions.load(self.workspace))(self.panel.table))


@pytest.fixture
def opened(workspace: Workspace) -> Opened:
    folder = workspace.root / "checked"
    with gr.Blocks():
        panel = rows_panel.lay_out(Page(Settings(workspace.root), gr.Tabs(), gr.Textbox()))
    opened = Opened(workspace, panel, Actions(panel, lambda _: folder), folder)
    opened.check()
    return opened


def place_of(opened: Opened, source: str, row: int) -> int:
    """Where a source's row stands in the training part."""
    rows = open_browser(opened.workspace, opened.folder).rows
    lines = range(1, rows.count("train") + 1)
    return next(place for place in lines if edits.origin_of(rows.row("train", place)) == (source, row))


def given_fields(opened: Opened, *turns: tuple[str, str]) -> list[Any]:
    """Values of the editor's fields with these turns in them."""
    room = len(opened.panel.detail.editor.roles) - len(turns)
    return [None, *[role for role, _ in turns], *[""] * room, *[text for _, text in turns], *[""] * room]


def test_without_rows_the_panel_says_what_to_do(opened: Opened) -> None:
    nowhere = Actions(opened.panel, lambda _: None)
    seen = opened.seen(nowhere.load(opened.workspace))
    assert seen(opened.panel.nothing).visible and not seen(opened.panel.body).visible
    assert "press “Check”" in opened.panel.nothing.value
    assert all(value is SKIP for value in nowhere.refresh(opened.workspace, "nothing", ""))
    with pytest.raises(BadInput, match="gone"):
        nowhere.turn(opened.workspace, "next")


def test_the_first_page_shows_rows_with_length_source_and_tag(opened: Opened) -> None:
    seen = opened.seen(opened.actions.load(opened.workspace))
    table = seen(opened.panel.table)
    assert table.count("<tr ") == rows_state.PAGE_ROWS
    assert "What is" in table and "2 turns" in table and "characters" in table
    assert "sums.jsonl, row" in table and ">english</span>" in table
    assert "Rows 1 to 25 of" in seen(opened.panel.words) and "training rows" in seen(opened.panel.words)
    assert not seen(opened.panel.pager["first"]).interactive and seen(opened.panel.pager["next"]).interactive


def test_paging_goes_to_the_last_row_and_stops_there(opened: Opened) -> None:
    total = open_browser(opened.workspace, opened.folder).page.total
    outputs = opened.panel.list_outputs
    seen = opened.seen(opened.actions.turn(opened.workspace, "last"), outputs)
    assert f"to {total:,} of {total:,} training rows" in seen(opened.panel.words)
    assert not seen(opened.panel.pager["next"]).interactive and not seen(opened.panel.pager["last"]).interactive
    again = opened.seen(opened.actions.turn(opened.workspace, "next"), outputs)
    assert again(opened.panel.words) == seen(opened.panel.words)
    opened.actions.turn(opened.workspace, "previous")
    assert read_view(opened.workspace).start == rows_state.last_start(total) - rows_state.PAGE_ROWS


def test_a_page_reads_its_own_rows_alone(opened: Opened) -> None:
    browser = open_browser(opened.workspace, opened.folder)
    last = browser.rows._part("train")["offset"].to_list()[rows_state.last_start(browser.page.total)]
    path = opened.folder / "train.jsonl"
    content = path.read_bytes()
    path.write_bytes(b"x" * last + content[last:])
    rows_state.turn_to(opened.workspace, rows_state.last_start(browser.page.total))
    assert "What is" in opened.list() or "Was ist" in opened.list()


def test_filters_find_rows_by_text_check_tag_and_source(opened: Opened) -> None:
    ask, panel = opened.actions.ask, opened.panel
    row = open_browser(opened.workspace, opened.folder).rows.page(Filter(tag="german"), 0, 1).rows[0]
    text = row["messages"][0]["content"].upper()
    found = opened.seen(ask(opened.workspace, "train", text, "", "", "", ""), panel.list_outputs)
    assert found(panel.table).count("<tr ") == 1 and "1 found among" in found(panel.words)
    assert found(panel.filters.clear).visible
    found = opened.seen(ask(opened.workspace, "train", "", "", "german", "", ""), panel.list_outputs)
    assert "sums.jsonl" not in found(panel.table)
    found = opened.seen(ask(opened.workspace, "left_out", "", "exact_duplicate", "", "", ""), panel.list_outputs)
    table = found(panel.table)
    assert table.count("<tr ") == 1 and "sums.jsonl, row 51" in table and "Equal rows" in table


def test_only_checks_that_found_something_are_offered_with_their_numbers(opened: Opened) -> None:
    seen = opened.seen(opened.actions.load(opened.workspace))
    choices = seen(opened.panel.filters.menus["check"]).choices
    assert ("Equal rows: 0", "exact_duplicate") in choices and "empty_turn" not in [name for _, name in choices]
    values = ["left_out", "", "", "", "", ""]
    seen = opened.seen(opened.actions.ask(opened.workspace, *values), opened.panel.list_outputs)
    assert ("Equal rows: 1", "exact_duplicate") in seen(opened.panel.filters.menus["check"]).choices


def test_a_filter_that_finds_nothing_says_where_such_rows_are(opened: Opened) -> None:
    values = ["train", "", "exact_duplicate", "", "", ""]
    seen = opened.seen(opened.actions.ask(opened.workspace, *values), opened.panel.list_outputs)
    assert "found no row in Training, but 1 in Left out" in seen(opened.panel.table)


def test_filters_page_and_chosen_row_survive_a_refresh(opened: Opened) -> None:
    opened.actions.ask(opened.workspace, "train", "", "", "english", "", "")
    opened.actions.turn(opened.workspace, "next")
    place = open_browser(opened.workspace, opened.folder).page.places[0]
    opened.actions.select(opened.workspace, {"place": str(place)})
    again = Opened(Workspace(opened.workspace.root), opened.panel, opened.actions, opened.folder)
    seen = again.seen(opened.actions.load(again.workspace))
    assert seen(opened.panel.filters.menus["tag"]).value == "english"
    assert "Rows 26 to 50" in seen(opened.panel.words)
    assert f'data-place="{place}" class="chosen"' in seen(opened.panel.table)
    assert f"Training row {place}" in seen(opened.panel.detail.head)


def test_what_other_rows_do_not_have_is_no_longer_asked_for(opened: Opened) -> None:
    rows_state.ask_for(opened.workspace, Filter(tag="gone", check="no_such_check", source="german.jsonl"))
    rows_state.turn_to(opened.workspace, 4000)
    browser = open_browser(opened.workspace, opened.folder)
    assert browser.view.wanted == Filter(source="german.jsonl") and browser.page.rows


def test_a_chosen_row_is_let_go_when_another_stands_in_its_place(opened: Opened) -> None:
    opened.actions.select(opened.workspace, {"place": "1"})
    assert open_browser(opened.workspace, opened.folder).chosen is not None
    opened.check(seed=7)
    assert open_browser(opened.workspace, opened.folder).chosen is None


def test_a_draft_edited_by_hand_shows_the_first_rows(opened: Opened) -> None:
    save_draft(opened.workspace, "rows", filter="x", start="y", chosen={"place": "z"}, look=3)
    assert open_browser(opened.workspace, opened.folder).view == rows_state.View()


def test_going_to_a_row_opens_it_on_its_page_and_takes_filters_away(opened: Opened) -> None:
    opened.actions.ask(opened.workspace, "train", "no such words", "", "", "", "")
    opened.actions.go_to(opened.workspace, "30")
    browser = open_browser(opened.workspace, opened.folder)
    assert browser.view.wanted == Filter() and 30 in browser.page.places and browser.view.start == 25
    assert browser.view.chosen is not None and browser.view.chosen.place == 30
    for text in ("0", "1,000", "x", ""):
        with pytest.raises(BadInput, match="Enter a number from 1 to"):
            opened.actions.go_to(opened.workspace, text)


def test_a_change_shows_at_once_in_every_copy_and_the_files_stay(opened: Opened) -> None:
    before = (opened.folder / "train.jsonl").read_bytes()
    opened.actions.select(opened.workspace, {"place": str(place_of(opened, "sums.jsonl", 8))})
    turns = given_fields(opened, ("user", "What is seven and seven?"), ("assistant", "Fourteen."))
    seen = opened.seen(opened.actions.keep(opened.workspace, *turns), opened.panel.row_outputs)
    assert "1 row changed by hand. 1 edit waits: press Check or Build" in seen(opened.panel.edited)
    assert seen(opened.panel.edit_buttons["undo"]).visible
    assert "Fourteen." in seen(opened.panel.detail.chat) and "edited" in seen(opened.panel.detail.head)
    seen = opened.actions.ask(opened.workspace, "train", "", "", "", "sums.jsonl", "")
    rows = open_browser(opened.workspace, opened.folder).rows
    copies = sum(edits.origin_of(rows.row("train", n)) == ("sums.jsonl", 8) for n in range(1, rows.count("train") + 1))
    assert copies == 2
    shown = ""
    for _ in range(4):
        shown += opened.list()
        opened.actions.turn(opened.workspace, "next")
    assert shown.count("What is seven and seven?") == 2 and shown.count(">edited</span>") == 2
    assert (opened.folder / "train.jsonl").read_bytes() == before


def test_edits_are_taken_in_by_the_next_check(opened: Opened) -> None:
    opened.actions.select(opened.workspace, {"place": str(place_of(opened, "german.jsonl", 2))})
    opened.actions.delete(opened.workspace)
    cursor = opened.seen(opened.actions.load(opened.workspace))(opened.panel.cursor)
    opened.check()
    seen = opened.seen(opened.actions.refresh(opened.workspace, cursor, ""))
    assert "as shown here" in seen(opened.panel.edited)
    rows = open_browser(opened.workspace, opened.folder).rows
    used = [rows.row(part, n) for part in ("train", "eval") for n in range(1, rows.count(part) + 1)]
    assert ("german.jsonl", 2) not in [edits.origin_of(row) for row in used]


def test_deleting_undo_and_redo(opened: Opened) -> None:
    panel, outputs = opened.panel, opened.panel.row_outputs
    opened.actions.select(opened.workspace, {"place": "1"})
    seen = opened.seen(opened.actions.delete(opened.workspace), outputs)
    assert 'data-place="1" class="chosen deleted"' in seen(panel.table)
    assert "will be left out" in seen(panel.detail.editor.note)
    seen = opened.seen(opened.actions.undo(opened.workspace), outputs)
    assert 'data-place="1" class="chosen"' in seen(panel.table)
    assert seen(panel.edited) == "" and seen(panel.edit_buttons["redo"]).visible
    seen = opened.seen(opened.actions.redo(opened.workspace), outputs)
    assert "1 row deleted by hand" in seen(panel.edited)
    opened.actions.restore(opened.workspace)
    assert edits.edits_of(opened.workspace) == []


def test_what_is_typed_survives_a_refusal_and_a_refresh(opened: Opened) -> None:
    opened.actions.select(opened.workspace, {"place": "1"})
    empty = given_fields(opened, ("user", "A question without an answer?"), ("assistant", ""))
    with pytest.raises(BadInput, match="can't be trained"):
        opened.actions.keep(opened.workspace, *empty)
    seen = opened.seen(opened.actions.load(opened.workspace))
    editor = opened.panel.detail.editor
    assert seen(editor.texts[0]).value == "A question without an answer?"
    assert "not taken over yet" in seen(editor.note) and seen(editor.discard).visible
    with pytest.raises(BadInput, match="Line 1"):
        opened.actions.keep_json(opened.workspace, '{"messages": ')
    seen = opened.seen(opened.actions.load(opened.workspace))
    assert seen(editor.json) == '{"messages": '
    opened.actions.discard(opened.workspace)
    seen = opened.seen(opened.actions.load(opened.workspace))
    assert seen(editor.texts[0]).value != "A question without an answer?" and not seen(editor.discard).visible
    assert edits.edits_of(opened.workspace) == []


def test_a_row_can_be_changed_as_json_and_turns_added_in_fields(opened: Opened) -> None:
    opened.actions.select(opened.workspace, {"place": "1"})
    turns = [{"role": "user", "content": "Well?"}, {"role": "assistant", "content": "Yes."}]
    opened.actions.keep_json(opened.workspace, json.dumps({"messages": turns}))
    assert edits.edits_of(opened.workspace)[0]["value"] == {"messages": turns}
    outputs = opened.panel.detail.editor.outputs
    given = given_fields(opened, ("user", "Well?"), ("assistant", "Yes."))
    seen = opened.seen(opened.actions.add_turn(opened.workspace, *given), outputs)
    roles = opened.panel.detail.editor.roles
    assert seen(roles[2]).visible and seen(roles[2]).value == "user" and not seen(roles[3]).visible
    given = given_fields(opened, ("user", "Well?"), ("assistant", "Yes."), ("", ""))
    seen = opened.seen(opened.actions.reshape(opened.workspace, *given), outputs)
    assert not seen(roles[2]).visible


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a tokenizer and a chat template."""
    folder, weights = tmp_path_factory.mktemp("model"), wheel_weights()
    assert weights is not None
    write_tokenizer(weights, folder)
    return str(folder)


def test_tokens_are_those_of_the_model_that_the_form_names(opened: Opened, model: str) -> None:
    opened.actions.select(opened.workspace, {"place": "1"})
    save_draft(opened.workspace, "datasets", form={"model": model, "max_length": 20})
    *_, shown = opened.actions.look(opened.workspace, "tokens", "filled")
    assert f"by the tokenizer of {model}" in shown[0] and "training cuts here, at 20 tokens" in shown[0]
    save_draft(opened.workspace, "datasets", form={"model": "nobody/has-this-model"})
    assert "on this machine yet" in opened.actions.tokens(opened.workspace, False)[0]
    save_draft(opened.workspace, "datasets", form={"model": ""})
    save_draft(opened.workspace, "training", form={"model": model, "max_length": 24})
    assert "training cuts here, at 24 tokens" in opened.actions.tokens(opened.workspace, False)[0]


def test_a_page_that_draws_itself_does_not_forget_how_rows_were_looked_at(opened: Opened) -> None:
    list(opened.actions.look(opened.workspace, "edit", "filled"))
    list(opened.actions.look(opened.workspace, "chat", ""))
    assert read_view(opened.workspace).look == "edit"


def test_another_length_redraws_the_plots_alone_and_nothing_is_redrawn_in_vain(opened: Opened, model: str) -> None:
    opened.check(model=model, max_length=64)
    seen = opened.seen(opened.actions.load(opened.workspace))
    cursors = [seen(opened.panel.cursor), seen(opened.panel.lengths_cursor)]
    assert "Every row fits into 64 tokens." in seen(opened.panel.plots)
    assert all(value is SKIP for value in opened.actions.refresh(opened.workspace, *cursors))
    save_draft(opened.workspace, "datasets", form={"max_length": 16})
    seen = opened.seen(opened.actions.refresh(opened.workspace, *cursors))
    assert "0 % of rows fit into 16 tokens" in seen(opened.panel.plots)
    assert seen(opened.panel.table) is SKIP and seen(opened.panel.detail.editor.texts[0]) is SKIP
    edits.delete(opened.workspace, "sums.jsonl", 1)
    seen = opened.seen(opened.actions.refresh(opened.workspace, *cursors))
    assert "1 row deleted" in seen(opened.panel.edited)


@pytest.fixture
def served(opened: Opened) -> Iterator[str]:
    """The panel alone as a page; its address."""
    with gr.Blocks() as blocks:
        fault = gr.HTML(visible=False)
        tabs = gr.Tabs(render=False)
        page = Page(Settings(opened.workspace.root), tabs, gr.Textbox("datasets", visible=False))
        tabs.render()
        with tabs:
            with gr.Tab("Sources"):
                gr.HTML("Nothing here.")
            with gr.Tab("Rows"):  # not drawn before it is opened, but filled in
                rows_panel.wire(page, rows_panel.lay_out(page), lambda _: opened.folder)
        page.wire(blocks, fault)
    port = free_port()
    blocks.launch(server_port=port, quiet=True, prevent_thread_lock=True, ssr_mode=False)
    yield f"http://127.0.0.1:{port}/"
    blocks.close()


@pytest.mark.browser
@pytest.mark.slow
def test_clicking_a_row_shows_its_tokens_and_a_change_is_marked(served: str, opened: Opened) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright isn't installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed (apt install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        expect = playwright.expect
        page.goto(served)
        page.get_by_role("tab", name="Rows", exact=True).click(timeout=30_000)
        page.locator("#rows-table tr").nth(1).click(timeout=30_000)
        expect(page.locator("#rows-head")).to_contain_text("Training row 2")
        page.get_by_role("tab", name="As the model sees it").click()
        expect(page.locator("#rows-tokens .trained").nth(1)).to_be_visible(timeout=30_000)
        page.get_by_role("tab", name="Change or delete").click()
        page.locator("#rows-row .hearth-turn textarea").nth(1).fill("I changed this")
        page.locator("#rows-row .hearth-turn textarea").nth(1).press_sequentially(".")
        expect(page.locator("#rows-row")).to_contain_text("not taken over yet")
        page.locator("#rows-keep").click()
        expect(page.locator("#rows-table tr.chosen")).to_contain_text("I changed this.")
        expect(page.locator("#rows-edited")).to_contain_text("1 edit waits")
        page.reload()
        page.get_by_role("tab", name="Rows", exact=True).click(timeout=30_000)
        expect(page.locator("#rows-table tr.chosen")).to_contain_text("I changed this.", timeout=30_000)
        expect(page.locator("#rows-row .hearth-turn textarea").nth(1)).to_have_value("I changed this.")
        page.locator("#rows-undo").click()
        expect(page.locator("#rows-edited")).not_to_contain_text("waits")
        browser.close()
    assert edits.edits_of(opened.workspace) == []
