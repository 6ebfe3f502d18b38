"""What a run takes of the memory there is: the bar, planning for another card, and the button that makes it fit."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from jobs.errors import BadInput
from jobs.files import write_json
from jobs.workspace import Workspace
from models.hardware import GB, Hardware, probe
from trainer.memory.estimate import estimate
from trainer.memory.fit import fits
from trainer.memory.known_shapes import known_shape
from trainer.memory.setting import Setting
from trainer.spec import TrainSpec
from ui import memory_panel, training_form
from ui.drafts import save_draft
from ui.fields import raw_of_values
from ui.form import Form
from ui.layers import FITTED, YOURS
from ui.memory_view import Outlook, Room, memory_html
from ui.page import SKIP, Page, Settings

MODEL = "Qwen/Qwen3-8B"
PARTS = ("weights", "adapter", "gradients", "optimiser", "activations", "logits", "overhead")


@pytest.fixture(scope="module")
def form(tmp_path_factory: pytest.TempPathFactory) -> Form:
    """The Training tab's form. What it shows is in the workspace alone, so that one does for all tests."""
    with gr.Blocks():
        settings = Settings(tmp_path_factory.mktemp("page"))
        return training_form.lay_out(Page(settings, gr.Tabs(), gr.Textbox())).form


def raw_values(form: Form, **values: Any) -> dict[str, Any]:
    return raw_of_values(form.shown, {"data": "d", "model": MODEL, **values})


def outlook(form: Form, workspace: Workspace, **values: Any) -> Outlook:
    return memory_panel.outlook(Settings(workspace.root), workspace, form, raw_values(form, **values))


def press(form: Form, workspace: Workspace, **values: Any) -> tuple[dict[str, Any], Outlook]:
    """Press “Make it fit”: the fields that it changed, and what the bar shows then."""
    raw = raw_values(form, **values)
    given = memory_panel.fitted(Settings(workspace.root), workspace, form, [raw[path] for path in form.components])
    changed = {path: value for path, value in zip(form.components, given, strict=False) if value is not SKIP}
    return changed, memory_panel.outlook(Settings(workspace.root), workspace, form, {**raw, **changed})


def plan(workspace: Workspace, gigabytes: float) -> None:
    save_draft(workspace, "training", plan=gigabytes)


def test_the_bar_shows_seven_parts_that_add_up_against_the_room() -> None:
    shape = known_shape(MODEL)
    assert shape is not None
    estimated = estimate(shape, TrainSpec.parse({"data": "d"}), Setting())
    html = memory_html(Outlook(estimated, Room(200 * int(GB), "free on the card")))
    widths = [float(width) for width in re.findall(r'<i class="part \w+" style="width:([\d.]+)%', html)]
    assert sum(widths) == pytest.approx(100 * estimated.total / (200 * GB), abs=0.1)
    assert [name for name in PARTS if f"part {name}" in html] == list(PARTS)
    assert "Memory: fits." in html and "200.0 GB free on the card" in html
    assert all(line.split(":")[0] in html for line in estimated.explain()), "the reasons stand in the fold"


def test_what_does_not_fit_is_said_in_words_and_marked_where_the_room_ends() -> None:
    shape = known_shape(MODEL)
    assert shape is not None
    estimated = estimate(shape, TrainSpec.parse({"data": "d"}), Setting())
    html = memory_html(Outlook(estimated, Room(estimated.total // 2, "on <this> card")))
    assert 'class="hearth-memory over"' in html and "does not fit" in html and 'role="alert"' in html
    assert 'class="end" style="left:50' in html and "on &lt;this&gt; card" in html
    # Within what the estimate may be off by, it isn't said to fit.
    close = Room(estimated.total + 1, "there")
    assert not fits(estimated, close.bytes) and "does not fit" in memory_html(Outlook(estimated, close))


def test_the_bar_moves_with_the_options(form: Form, workspace: Workspace) -> None:
    plan(workspace, 24)
    small = outlook(form, workspace, optimisation={"batch_size": 1}).estimated
    large = outlook(form, workspace, optimisation={"batch_size": 4}).estimated
    assert small and large and large.activations.bytes == pytest.approx(4 * small.activations.bytes, rel=0.05)
    adapter = outlook(form, workspace, optimisation={"batch_size": 1}, method={"rank": 64}).estimated
    assert adapter and adapter.adapter.bytes == 4 * small.adapter.bytes


def test_a_card_that_is_not_here_can_be_planned_for_and_the_limit_holds_there_too(
    form: Form, workspace: Workspace
) -> None:
    here = outlook(form, workspace).room
    plan(workspace, 8)
    there = outlook(form, workspace).room
    assert here and there and there.bytes == pytest.approx(7.8 * GB) and "a card of 8 GB" in there.where
    capped = outlook(form, workspace, safety={"memory_limit_gb": 6}).room
    assert capped and capped.bytes == 6 * GB and "limit" in capped.where
    assert memory_panel.checked_plan(None) is None and memory_panel.checked_plan(10) == 10
    with pytest.raises(BadInput, match=r"0\.1 GB"):
        memory_panel.checked_plan(0.1)


def test_without_a_card_it_is_held_against_system_memory() -> None:
    hardware: Hardware = replace(probe(Path.cwd()), gpus=[])
    assert "this machine's memory" in memory_panel._where(hardware, None, None)
    assert memory_panel.with_card(hardware, 12).gpus[0].memory_free == 12 * GB


def test_what_is_not_known_or_wrong_is_said_in_place_of_the_bar(form: Form, workspace: Workspace) -> None:
    unknown = outlook(form, workspace, model="someone/never-heard-of")
    assert unknown.estimated is None and "until the model" in memory_html(unknown)
    wrong = memory_html(outlook(form, workspace, model="job:nothing"))
    assert "Memory:" in wrong and "stack" not in wrong
    raw = {**raw_values(form), "optimisation.batch_size": 0}
    problem = memory_panel.outlook(Settings(workspace.root), workspace, form, raw).problem
    assert "batch_size" in problem
    plan(workspace, 0.5)
    assert "has no room for a run" in outlook(form, workspace).problem


def test_a_page_for_others_looks_at_no_folder_outside_the_workspace(
    form: Form, workspace: Workspace, tmp_path: Path
) -> None:
    config = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    write_json(tmp_path / "model" / "config.json", {**config, "quantization_config": {}})
    raw = raw_values(form, model=str(tmp_path / "model"))
    assert memory_panel.outlook(Settings(workspace.root), workspace, form, raw).estimated
    served = Settings(workspace.root, local=False)
    assert "outside the workspace" in memory_panel.outlook(served, workspace, form, raw).problem


def test_make_it_fit_changes_the_form_and_says_what_was_given_up(form: Form, workspace: Workspace) -> None:
    plan(workspace, 12)
    before = outlook(form, workspace)
    assert before.estimated and before.room and not fits(before.estimated, before.room.bytes)
    changed, after = press(form, workspace)
    assert after.estimated and after.room and fits(after.estimated, after.room.bytes)
    assert changed["method.adapter"] == "qlora"
    origins = form.origins(workspace)
    assert {path for path, origin in origins.items() if origin == FITTED} == set(changed)
    assert origins["model"] == YOURS
    assert any("lora → qlora" in line and "saves" in line for line in after.gave_up)
    again = memory_panel.outlook(Settings(workspace.root), workspace, form, form.shows(workspace) | {"data": "d"})
    assert again.gave_up == after.gave_up, "a reload says so still"


def test_what_was_given_up_is_forgotten_where_the_person_changes_it_again(form: Form, workspace: Workspace) -> None:
    plan(workspace, 12)
    changed, _ = press(form, workspace)
    raw = {**raw_values(form), **changed, "method.adapter": "lora"}
    form.keep(workspace, [raw[path] for path in form.components])
    after = memory_panel.outlook(Settings(workspace.root), workspace, form, raw)
    assert form.origins(workspace).get("method.adapter") != FITTED
    assert not any("qlora" in line for line in after.gave_up) and not after.told


def test_where_all_fits_nothing_is_changed_and_a_larger_batch_is_offered(form: Form, workspace: Workspace) -> None:
    plan(workspace, 80)
    changed, after = press(form, workspace, optimisation={"batch_size": 2, "gradient_accumulation": 8})
    assert changed == {} and "Fits as it is" in after.told[0]
    assert re.search(r"room for batches of (4|8|16) \(now 2\)", after.told[1])
    changed, after = press(form, workspace, optimisation={"batch_size": 1})
    assert changed == {} and len(after.told) == 1, "with an effective batch of one there is nothing to enlarge"


def test_where_nothing_fits_the_form_stays_and_what_would_help_is_said(form: Form, workspace: Workspace) -> None:
    plan(workspace, 2)
    changed, after = press(form, workspace)
    assert changed == {} and not after.gave_up
    assert "Nothing was changed." in after.told[0] and "parameters would fit" in after.told[0]
    with pytest.raises(BadInput, match="isn't known yet"):
        press(form, workspace, model="someone/never-heard-of")


def test_a_keystroke_is_answered_within_a_tenth_of_a_second(form: Form, workspace: Workspace) -> None:
    raw = raw_values(form, model="embedded")
    spent = []
    for rank in range(1, 12):
        values = [{**raw, "method.rank": rank}[path] for path in form.components]
        started = time.process_time()
        form.keep(workspace, values)
        form.show_below(workspace, values)
        spent.append(time.process_time() - started)
    assert sorted(spent)[len(spent) // 2] < 0.1
