"""The sources of a dataset on the page: what is seen of one, what can be corrected, and what the YAML says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from datasets_src.interactions import InteractionFilter
from datasets_src.spec import DatasetSpec, SourceSpec
from jobs.errors import BadInput
from jobs.workspace import Workspace
from tests.toys import write_rows
from ui import column_map, dataset_draft, own_rows, sources_panel
from ui.dataset_draft import OWN, SNAKE, TAB, change_source, checked_spec, lay_out_form, spec_on_screen
from ui.drafts import read_draft
from ui.edits import delete
from ui.fields import form_fields
from ui.form import Form, enter_quietly
from ui.own_rows import name_after
from ui.page import Page, Settings
from ui.sources import card_of, look_at, look_html
from ui.spec_list import SpecList


@pytest.fixture
def form() -> Form:
    with gr.Blocks():
        return lay_out_form()


def settings(workspace: Workspace, *, demo: bool = False) -> Settings:
    return Settings(workspace.root, demo=demo)


def add(workspace: Workspace, listed: SpecList, *items: dict[str, Any]) -> None:
    own_rows.add_sources(workspace, listed, list(items))


def odd_file(workspace: Workspace, name: str = "odd.jsonl") -> dict[str, Any]:
    """A file whose columns fit no format."""
    rows = [{"frage": f"Wie viel ist {number} plus 1?", "reaktion": str(number + 1)} for number in range(20)]
    return {"path": str(write_rows(workspace.uploads / name, [dict(row) for row in rows]).relative_to(workspace.root))}


def test_a_source_is_a_card_with_the_evidence_for_its_format(workspace: Workspace) -> None:
    write_rows(workspace.uploads / "a.jsonl", [{"prompt": "Two?", "response": "2 <b>"}])
    card = card_of(workspace, {"path": "uploads/a.jsonl", "tag": "<i>", "weight": 2.0, "max_rows": 9, "part": "eval"})
    assert card.title == "a.jsonl" and card.state == "good"
    assert "1 row · prompts and completions" in card.about and "response taken as completion" in card.about
    assert "tag &lt;i&gt; · 2 times · at most 9 rows · for eval alone" in card.about


def test_a_look_shows_rows_with_their_faults_and_lets_no_html_through(workspace: Workspace) -> None:
    good = {"prompt": "Two?", "completion": "2 <b>"}
    write_rows(workspace.uploads / "a.jsonl", [dict(good), {"prompt": "Three?", "completion": ""}])
    html = look_html(workspace, {"path": "uploads/a.jsonl"})
    assert "2 &lt;b&gt;" in html and "row 2" in html and "1 row can&#x27;t be used" in html
    assert "gone.jsonl" in look_html(workspace, {"path": "uploads/gone.jsonl"})


def test_a_look_notices_that_the_file_has_changed(workspace: Workspace) -> None:
    write_rows(workspace.uploads / "a.jsonl", [{"prompt": "Two?", "completion": "2"}])
    assert card_of(workspace, {"path": "uploads/a.jsonl"}).about.startswith("1 row ")
    write_rows(
        workspace.uploads / "a.jsonl", [{"prompt": "Two?", "completion": "2"}, {"prompt": "3?", "completion": "3"}]
    )
    assert card_of(workspace, {"path": "uploads/a.jsonl"}).about.startswith("2 rows ")


def test_what_the_hub_holds_is_left_to_the_check(workspace: Workspace) -> None:
    look = look_at(workspace, {"path": "hub:anna/recipes"})
    assert look.inspection is None and look.problem is None
    assert "Check rows" in look_html(workspace, {"path": "hub:anna/recipes"})


def test_columns_that_fit_no_format_are_mapped_by_hand(workspace: Workspace, listed: SpecList) -> None:
    add(workspace, listed, odd_file(workspace))
    item = listed.chosen_item(workspace)
    assert item is not None and "fit no known format" in card_of(workspace, item).about
    assert "reaktion" in look_html(workspace, item), "the raw rows help to map them"
    known = look_at(workspace, item).columns
    assert known is not None and column_map.options(known, "prompt") == [column_map.NOT_HERE, "frage", "reaktion"]
    sources_panel.change_columns(workspace, listed, {"prompt": "frage", "completion": "reaktion"})
    mapped = listed.chosen_item(workspace)
    assert mapped is not None and mapped["columns"] == {"prompt": "frage", "completion": "reaktion"}
    assert "20 rows · prompts and completions" in card_of(workspace, mapped).about


def test_a_format_that_does_not_fit_asks_for_its_columns(workspace: Workspace) -> None:
    item = {**odd_file(workspace), "format": "alpaca"}
    html, known = look_html(workspace, item), look_at(workspace, item).columns
    assert "Alpaca instructions need the columns instruction and output" in html and "frage" in html
    assert known is not None and column_map.names_to_map(known)[:2] == ["instruction", "output"]


def test_a_guessed_column_stays_when_another_is_mapped(workspace: Workspace, listed: SpecList) -> None:
    write_rows(workspace.uploads / "a.jsonl", [{"prompt": "Two?", "response": "2", "topic": "sums"}])
    add(workspace, listed, {"path": "uploads/a.jsonl"})
    known = look_at(workspace, {"path": "uploads/a.jsonl"}).columns
    assert known is not None
    shown = {name: column_map.column_of(known, name) for name in column_map.names_to_map(known)}
    assert shown["completion"] == "response"
    sources_panel.change_columns(workspace, listed, {**shown, "tag": "topic"})
    item = listed.chosen_item(workspace)
    assert item is not None and item["columns"] == {"completion": "response", "tag": "topic"}


def test_a_removed_source_leaves_the_others_as_they_were(workspace: Workspace, listed: SpecList) -> None:
    items = [{"text": f'{{"prompt": "{letter}", "completion": "b"}}'} for letter in "abc"]
    add(workspace, listed, *items)
    assert listed.chosen(workspace) == 2, "the newest is looked at"
    listed.choose(workspace, 1)
    listed.remove(workspace, 0)
    assert listed.items(workspace) == items[1:] and listed.chosen_item(workspace) == items[1]
    listed.remove(workspace, 1)
    listed.remove(workspace, 0)
    assert listed.chosen(workspace) is None and listed.items(workspace) == []


def test_a_source_given_twice_is_listed_once(workspace: Workspace, listed: SpecList) -> None:
    add(workspace, listed, {"path": "uploads/a.jsonl"}, {"path": "uploads/b.jsonl"})
    add(workspace, listed, {"path": "uploads/a.jsonl"})
    assert len(listed.items(workspace)) == 2 and listed.chosen(workspace) == 0


def test_an_option_that_cannot_be_is_refused_and_the_source_stays(workspace: Workspace, listed: SpecList) -> None:
    add(workspace, listed, {"path": "uploads/a.jsonl", "tag": "A"})
    with pytest.raises(BadInput, match="weight"):
        listed.replace(workspace, {"weight": 0})
    assert listed.items(workspace) == [{"path": "uploads/a.jsonl", "tag": "A"}]


def test_editing_one_option_keeps_those_that_the_editor_does_not_show(workspace: Workspace, listed: SpecList) -> None:
    mapped = {"path": "uploads/a.jsonl", "columns": {"prompt": "frage"}}
    add(workspace, listed, mapped)
    values = {each.path: each.default for each in form_fields(SourceSpec)}
    shown = [{**values, "tag": "A", "columns": ""}[name] for name in listed.components]
    listed.edited(workspace, shown)
    assert listed.items(workspace) == [{**mapped, "tag": "A"}]


def test_yaml_shows_everything_and_loads_it_back(workspace: Workspace, form: Form, listed: SpecList) -> None:
    hub = {"path": "hub:anna/recipes", "config": "en", "split": "train", "revision": "v2", "columns": {"text": "body"}}
    pasted = {"text": '{"prompt": "a", "completion": "b"}', "tag": "A: b, c", "weight": 0.5, "max_rows": 3}
    add(workspace, listed, hub, pasted)
    delete(workspace, "pasted", 1)
    text = form.initial(workspace)[-1]
    before = spec_on_screen(workspace, form)
    assert before is not None and before.edits[0].source == "pasted"
    other = Workspace(workspace.root.parent / "other")
    form.load(other, text)
    assert spec_on_screen(other, form) == before
    assert listed.items(other) == [hub, pasted] and dataset_draft.chosen_source(other) == OWN


def test_the_yaml_of_the_example_chooses_the_example(workspace: Workspace, form: Form) -> None:
    text = form.initial(workspace)[-1]
    change_source(workspace, OWN)
    form.load(workspace, text)
    assert dataset_draft.chosen_source(workspace) == SNAKE
    spec = spec_on_screen(workspace, form)
    assert spec == DatasetSpec.parse(dataset_draft.snake_values())


def test_edits_of_a_source_that_is_gone_are_not_asked_for(workspace: Workspace, form: Form, listed: SpecList) -> None:
    add(workspace, listed, {"path": "uploads/deep/a.jsonl"}, {"path": "uploads/b.jsonl"})
    for source in ("a.jsonl", "deep/a.jsonl", "a.jsonl#2", "b.jsonl", "c.jsonl", "pasted"):
        delete(workspace, source, 1)
    listed.remove(workspace, 1)
    spec = spec_on_screen(workspace, form)
    assert spec is not None
    assert {edit.source for edit in spec.edits} == {"a.jsonl", "deep/a.jsonl", "a.jsonl#2"}


def test_changing_the_rows_keeps_what_was_entered_for_each(workspace: Workspace, form: Form, listed: SpecList) -> None:
    add(workspace, listed, {"path": "uploads/a.jsonl"})
    dataset_draft.enter(workspace, form, name="mine", remedies={"email": "fix"})
    delete(workspace, "a.jsonl", 3)
    mine = read_draft(workspace, TAB)["form"]
    change_source(workspace, SNAKE)
    assert read_draft(workspace, TAB)["form"] == {} and "edits" not in read_draft(workspace, TAB)
    change_source(workspace, OWN)
    assert read_draft(workspace, TAB)["form"] == mine and read_draft(workspace, TAB)["edits"][0]["row"] == 3


def test_nothing_to_add_is_refused(workspace: Workspace) -> None:
    for make, given in (
        (own_rows.pasted_source, "  \n"),
        (own_rows.dataset_source, None),
        (own_rows.job_source, None),
        (own_rows.hub_source(["name", "config"]), ""),
    ):
        values = [given, ""] if make is not own_rows.pasted_source and given == "" else [given]
        with pytest.raises(BadInput, match="nothing to use"):
            make(workspace, *values)


def test_a_hub_dataset_is_named_with_its_parts(workspace: Workspace) -> None:
    make = own_rows.hub_source(["name", "config", "split", "revision"])
    assert make(workspace, " hub:anna/recipes ", "", "train", "") == [{"path": "hub:anna/recipes", "split": "train"}]


def test_conditions_on_logged_chats_are_written_as_the_spec_reads_them(workspace: Workspace) -> None:
    import yaml

    names = [each.path for each in form_fields(InteractionFilter)]
    values = {**dict.fromkeys(names, ""), "min_rating": 4, "only_edited": True, "date_from": "2026-01-31"}
    (item,) = own_rows.logged_source(names)(workspace, *[values[name] or None for name in names])
    where = {name: yaml.safe_load(value) for name, value in SourceSpec.parse(item).where.items()}
    chosen = InteractionFilter.parse(where)
    assert (chosen.min_rating, chosen.only_edited, str(chosen.date_from)) == (4, True, "2026-01-31")
    with pytest.raises(BadInput, match="min_rating"):
        own_rows.logged_source(names)(workspace, *[{**values, "min_rating": 9}[name] or None for name in names])


def test_every_name_that_a_column_can_have_is_asked_for() -> None:
    from datasets_src.spec import MAPPABLE

    assert set(column_map.MEANINGS) == set(MAPPABLE)


def test_files_elsewhere_are_refused_wherever_they_are_named(
    workspace: Workspace, form: Form, listed: SpecList
) -> None:
    change_source(workspace, OWN)
    with pytest.raises(BadInput, match="no rows yet"):
        checked_spec(settings(workspace), workspace, form, tuple(form.initial(workspace)[:-1]))
    add(workspace, listed, {"path": "/etc/passwd"})
    with pytest.raises(BadInput, match="outside the workspace"):
        checked_spec(settings(workspace), workspace, form, tuple(form.initial(workspace)[:-1]))
    assert look_at(workspace, {"path": "../elsewhere.jsonl"}).problem is not None
    listed.save(workspace, [{"text": '{"prompt": "a", "completion": "b"}'}])
    dataset_draft.enter(workspace, form, contamination=["/etc/passwd"])
    with pytest.raises(BadInput, match="outside the workspace"):
        checked_spec(settings(workspace), workspace, form, tuple(form.initial(workspace)[:-1]))


def test_the_demo_takes_no_rows_from_elsewhere(workspace: Workspace, form: Form, listed: SpecList) -> None:
    demo = settings(workspace, demo=True)
    add(workspace, listed, {"path": "hub:anna/recipes"})
    with pytest.raises(BadInput, match="demo"):
        checked_spec(demo, workspace, form, tuple(form.initial(workspace)[:-1]))
    listed.save(workspace, [{"text": '{"prompt": "a", "completion": "b"}'}])
    assert checked_spec(demo, workspace, form, tuple(form.initial(workspace)[:-1])).sources
    dataset_draft.enter(workspace, form, model="anna/model")
    with pytest.raises(BadInput, match="demo"):
        checked_spec(demo, workspace, form, tuple(form.initial(workspace)[:-1]))


def test_the_demo_takes_small_files_alone(workspace: Workspace, tmp_path: Path) -> None:
    large = tmp_path / "large.jsonl"
    large.write_bytes(b"x" * 5_000_001)
    with gr.Blocks():
        page = Page(settings(workspace, demo=True), gr.Tabs(), gr.Textbox())
    with pytest.raises(BadInput, match="5 MB"):
        own_rows.keep_file(page, workspace, large)


@pytest.mark.parametrize(
    ("path", "typed", "name"),
    [
        ("uploads/Support Tickets (May).jsonl", None, "support-tickets-may"),
        ("uploads/rows.jsonl", "mine", "mine"),
        ("uploads/数据.jsonl", None, None),
        ("hub:owner/alpaca", None, "alpaca"),
    ],
)
def test_a_dataset_is_called_after_its_first_file(
    workspace: Workspace, path: str, typed: str | None, name: str | None
) -> None:
    if typed:
        enter_quietly(workspace, TAB, {"name": typed}, "you")
    name_after(workspace, path)
    assert read_draft(workspace, TAB).get("form", {}).get("name") == name
