"""The Training tab's form: presets, where each value comes from, what doesn't matter now, and its YAML."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import yaml
from filelock import FileLock

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput
from jobs.workspace import Workspace
from tests.toys import write_rows
from trainer.presets import PRESETS
from trainer.spec import TrainSpec
from ui import filling, preset_panel, training_form
from ui import form as forms
from ui.drafts import read_draft
from ui.fields import form_fields, means_the_same, raw_of_values
from ui.form import Form
from ui.layers import FROM_RUN, FROM_YAML, YOURS
from ui.origins import Group, css_text, idle_options, origins_css
from ui.page import SKIP, Page, Settings
from ui.training_choice import training_choice


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the dataset `sums`."""
    root = tmp_path_factory.mktemp("built")
    rows: list[dict[str, object]] = [
        {"prompt": f"{number} + 1?", "completion": str(number + 1)} for number in range(40)
    ]
    write_rows(root / "uploads" / "sums.jsonl", rows)
    build(DatasetSpec.parse({"name": "sums", "sources": [{"path": "uploads/sums.jsonl"}]}), Workspace(root))
    return root


@pytest.fixture
def workspace(built: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(built, tmp_path / "workspace")
    return Workspace(tmp_path / "workspace")


def draw(root: Path) -> Form:
    """The form as a page draws it. What it shows is in the workspace alone, so that one does for all tests."""
    with gr.Blocks():
        return training_form.lay_out(Page(Settings(root), gr.Tabs(), gr.Textbox())).form


@pytest.fixture(scope="module")
def form(built: Path) -> Form:
    return draw(built)


def shown(form: Form, workspace: Workspace) -> dict[str, Any]:
    return dict(zip(form.components, form.initial(workspace), strict=False))


def memo(form: Form, workspace: Workspace) -> str:
    """What the page carries of what it was last given."""
    place = [follower.component for follower in form.followers].index(form.memo)
    value = form.initial(workspace)[len(form.components) + 1 + place]
    assert isinstance(value, str)
    return value


def enter(form: Form, workspace: Workspace, **values: Any) -> dict[str, Any]:
    """Type values (`_` for the dot after the group is written `__`); what the form shows then."""
    carried = memo(form, workspace)
    raw = {**shown(form, workspace), **{name.replace("__", "."): value for name, value in values.items()}}
    form.keep(workspace, [*(raw[path] for path in form.components), carried])
    return shown(form, workspace)


def text_of(form: Form, workspace: Workspace) -> str:
    return str(form.initial(workspace)[len(form.components)])


def test_the_form_begins_with_model_dataset_and_preset_and_shows_every_option_once(form: Form) -> None:
    assert list(form.components)[:3] == ["model", "data", "preset"]
    assert sorted(form.components) == sorted(each.path for each in form_fields(TrainSpec))
    assert form.components["optimisation.max_steps"].elem_id == "training-optimisation-max_steps"


def test_a_preset_sets_what_was_not_changed_by_hand_and_none_takes_it_back(form: Form, workspace: Workspace) -> None:
    enter(form, workspace, method__rank=12)
    after = enter(form, workspace, preset="card_8gb")
    assert (after["method.rank"], after["method.adapter"], after["optimisation.batch_size"]) == (12, "qlora", 1)
    changed = enter(form, workspace, preset="quick_lora")
    assert (changed["method.rank"], changed["method.adapter"], changed["max_length"]) == (12, "lora", 512)
    back = enter(form, workspace, preset="")
    spec = TrainSpec.parse({"data": "sums"})
    assert (back["method.rank"], back["max_length"], back["method.alpha"]) == (12, spec.max_length, spec.method.alpha)


def test_picking_a_preset_updates_the_fields_it_changes_and_no_others(form: Form, workspace: Workspace) -> None:
    raw, carried = shown(form, workspace), memo(form, workspace)
    picked = [{**raw, "preset": "memory_efficient_qlora"}[path] for path in form.components]
    updates = preset_panel.after_picking(form, workspace, [*picked, carried])
    by_path = dict(zip(preset_panel.set_by_presets(), updates, strict=False))
    assert by_path["method.adapter"] == "qlora" and by_path["optimisation.optimiser"] == "paged_adamw_8bit"
    assert by_path["max_length"] is SKIP, "the preset's length is what stands there already"
    assert "preset: memory_efficient_qlora" in updates[len(preset_panel.set_by_presets())]


def test_what_is_typed_before_a_presets_values_arrive_does_not_make_the_old_ones_ones_own(
    form: Form, workspace: Workspace
) -> None:
    raw, carried = shown(form, workspace), memo(form, workspace)
    with_preset = {**raw, "preset": "card_8gb"}
    form.keep(workspace, [*(with_preset[path] for path in form.components), carried])
    typed = {**with_preset, "name": "mine"}  # the page still shows, and carries, what it was given before the preset
    form.keep(workspace, [*(typed[path] for path in form.components), carried])
    assert form.kept(workspace) == {"preset": "card_8gb", "name": "mine"}


def test_what_is_typed_while_a_dataset_arrives_that_brings_other_values_is_kept(
    form: Form, workspace: Workspace
) -> None:
    raw, carried = shown(form, workspace), memo(form, workspace)
    typed = {**raw, "optimisation.max_steps": 7}
    values = [*(typed[path] for path in form.components), carried]
    assert filling.followed(workspace, form, "what another dataset brings", values) is None
    assert form.kept(workspace) == {"optimisation.max_steps": 7}
    untold = [*(None for _ in form.components), ""]  # a page that was given nothing yet
    assert filling.followed(workspace, form, "", untold) is None
    assert form.kept(workspace) == {"optimisation.max_steps": 7}
    refreshed = filling.followed(workspace, form, str(form.base(workspace)), values)
    assert refreshed is not None and refreshed[: len(form.components)] == [SKIP for _ in form.components]


@pytest.mark.parametrize("preset", PRESETS)
def test_yaml_says_the_preset_and_what_differs_and_gives_the_same_form_back(
    form: Form, workspace: Workspace, preset: str
) -> None:
    # The spec's own default, where the preset has another value: it has to be said.
    before = enter(form, workspace, preset=preset, method__alpha=32, optimisation__batch_size=3)
    text = text_of(form, workspace)
    said = yaml.safe_load(text)
    assert said["preset"] == preset and said["data"] == "sums" and "max_length" not in said
    assert said.get("method", {}).get("alpha", 32) == 32
    enter(form, workspace, preset="", method__alpha=64, name="other")
    form.load(workspace, text)
    assert shown(form, workspace) == before and text_of(form, workspace) == text
    spec = form.parse(workspace, [before[path] for path in form.components])
    assert TrainSpec.parse(said) == spec, "the command with this YAML does what the form says"


def test_every_value_says_where_it_comes_from(form: Form, workspace: Workspace) -> None:
    enter(form, workspace, preset="quick_lora", optimisation__epochs=3)
    origins = form.origins(workspace)
    assert origins["optimisation.epochs"] == YOURS and origins["max_length"] == "preset quick_lora"
    assert "optimisation.warmup_ratio" not in origins, "a default isn't said one by one"
    form.load(workspace, "data: sums\nmethod: {rank: 4}\n")
    assert form.origins(workspace) == {"method.rank": FROM_YAML}
    assert draw(workspace.root).origins(workspace) == {"method.rank": FROM_YAML}, "after a restart as well"
    enter(form, workspace, method__rank=5)
    assert form.origins(workspace) == {"method.rank": YOURS}
    enter(form, workspace, method__rank=16)
    assert form.origins(workspace) == {}, "what stands there by itself is nobody's"


def test_the_snake_recipes_values_are_named_so_and_a_preset_stands_over_them(form: Form, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "snake")
    from recipes.snake.pipeline import write_rows

    build(write_rows(workspace, rows=60), workspace)
    assert form.origins(workspace)["optimisation.learning_rate"] == "Snake recipe"
    after = enter(form, workspace, preset="quick_lora")
    origins = form.origins(workspace)
    assert after["max_length"] == 512 and origins["max_length"] == "preset quick_lora"
    assert after["optimisation.learning_rate"] == "0.001" and origins["optimisation.learning_rate"] == "Snake recipe"


def test_an_earlier_runs_values_replace_what_was_entered_and_say_so(form: Form, workspace: Workspace) -> None:
    enter(form, workspace, name="mine", optimisation__epochs=9)
    run = TrainSpec.parse({"data": "sums", "preset": "quick_lora", "method": {"rank": 3}}).model_dump(mode="json")
    training_form.take_run(form, workspace, run)
    after = shown(form, workspace)
    assert (after["preset"], after["method.rank"], after["name"], after["optimisation.epochs"]) == (
        "quick_lora", 3, "", 1.0,
    )  # fmt: skip
    origins = form.origins(workspace)
    assert (origins["preset"], origins["method.rank"]) == (FROM_RUN, FROM_RUN)
    assert origins["max_length"] == "preset quick_lora"
    assert read_draft(workspace, "training")["entered"] == 1, "an open page fetches it"
    with pytest.raises(BadInput, match="epoch"):
        training_form.take_run(form, workspace, {**run, "epoch": 2})
    assert shown(form, workspace) == after


def test_values_entered_elsewhere_keep_their_origin_until_they_are_changed(form: Form, workspace: Workspace) -> None:
    forms.enter(workspace, "training", {"method.rank": 4, "max_length": 64}, "advice")
    enter(form, workspace, max_length=65)
    assert form.origins(workspace) == {"method.rank": "advice", "max_length": YOURS}


def test_options_that_are_not_read_are_hidden_and_those_that_say_something_greyed() -> None:
    raw = raw_of_values(form_fields(TrainSpec), {"method": {"adapter": "none", "rank": 4}})
    idle = idle_options(raw)
    assert "preference.beta" in idle and "method.rank" in idle
    groups = [Group("training-common-1", ("preference.beta",)), Group("training-common-2", ("method.rank", "seed"))]
    css = origins_css("training", {"method.rank": YOURS}, idle, groups)
    hidden = re.search(r"([^}]*)\{ display: none !important; \}", css)
    assert hidden and "#training-preference-beta" in hidden[1] and "#training-method-rank" not in hidden[1]
    assert "#training-method-rank { opacity" in css and "not used: every weight is trained" in css
    assert "#training-common-1 > .row { display: none" in css and "#training-common-2" not in css


@pytest.mark.parametrize(
    ("objective", "used"),
    [("sft", set()), ("dpo", {"beta", "loss", "sft_weight"}), ("orpo", {"beta"}),
     ("kto", {"beta", "good_weight", "bad_weight"})],
)  # fmt: skip
def test_preference_options_matter_to_their_objectives_alone(objective: str, used: set[str]) -> None:
    idle = idle_options({"method.objective": objective, "method.adapter": "lora"})
    names = {each.name for each in form_fields(TrainSpec) if each.path.startswith("preference.")}
    assert {name for name in names if f"preference.{name}" not in idle} == used


def test_words_of_a_style_sheet_cannot_end_it() -> None:
    assert "</style>" not in css_text('"}</style><b>\n') and css_text('a"b') == '"a\\22 b"'


def test_two_ways_to_say_the_same_are_no_change() -> None:
    fields = {each.path: each for each in form_fields(TrainSpec)}
    assert means_the_same(fields["optimisation.learning_rate"], "2e-4", "0.0002")
    assert means_the_same(fields["saving.sample_prompts"], [[""]], [])
    assert not means_the_same(fields["method.rank"], 8, 16)


def test_rows_are_looked_at_with_the_presets_length(form: Form, workspace: Workspace) -> None:
    enter(form, workspace, preset="quick_lora")
    assert training_choice(workspace).max_length == 512
    enter(form, workspace, max_length=77)
    assert training_choice(workspace).max_length == 77


def test_time_and_memory_are_told_anew_when_a_training_has_ended(workspace: Workspace) -> None:
    with gr.Blocks():
        page = Page(Settings(workspace.root), gr.Tabs(), gr.Textbox())
        drawn = training_form.lay_out(page).form
    bar = next(each.component for each in drawn.followers if each.component.elem_id == "memory")
    part = next(each for each in page.polled if bar in each.outputs)
    assert part.handler(workspace, "") == [SKIP, SKIP], "nothing was trained"
    job = JobDirectory.create(workspace.new_job_path("train"), kind="train", title="t", spec={}, resource=None)
    with FileLock(job.lock_path):
        job.write_status(Status(State.RUNNING, updated=1.0))
        assert part.handler(workspace, "") == [SKIP, SKIP], "it is not over"
    job.write_status(Status(State.SUCCEEDED, updated=1.0))
    told, known = part.handler(workspace, "")
    assert (known, "GB" in told) == (job.id, True)
    assert part.handler(workspace, known) == [SKIP, SKIP]
