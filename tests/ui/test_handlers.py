"""What every tab's handlers do, without a browser, in a process that must not load what workers load."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from tests.toys import write_rows

ROOT = Path(__file__).resolve().parents[2]


def rows(count: int) -> list[dict[str, object]]:
    return [{"prompt": f"What is {number} + 1?", "completion": str(number + 1)} for number in range(count)]


def test_every_tabs_handlers_leave_torch_alone(tmp_path: Path) -> None:
    write_rows(tmp_path / "w" / "uploads" / "rows.jsonl", rows(60))
    script = f"""
        import sys
        from pathlib import Path
        import gradio as gr
        from datasets_src.build import build
        from datasets_src.spec import DatasetSpec
        from export.spec import ExportSpec
        from jobs.directory import JobDirectory, State, Status
        from jobs.workspace import Workspace
        from ui.layout import build_page
        from ui.page import Page, Settings
        from ui import build_panel, chat_models, chat_panel, chat_view, choices, evaluation_tab, expansion_panel
        from ui import export_plan, machine, sources, training_form, training_tab, versions_panel
        workspace = Workspace(Path({str(tmp_path / "w")!r}))
        build_page(Settings(workspace.root))
        assert "Every row can be used" in sources.look_html(workspace, {{"path": "uploads/rows.jsonl"}})
        expansion_panel.tried(expansion_panel.parsed(expansion_panel.EXAMPLE))
        build(DatasetSpec.parse({{"name": "d", "sources": [{{"path": "uploads/rows.jsonl"}}]}}), workspace)
        place = workspace.new_job_path("data.build")
        job = JobDirectory.create(place, kind="data.build", title="d", spec={{}}, resource=None)
        job.write_manifest({{"figures": {{"dataset": "d"}}, "artifacts": {{}}, "seconds": 1}})
        done = Status(State.SUCCEEDED)
        assert "d@" in build_panel.result(workspace, job, done)[1]
        assert "train.parquet" in versions_panel.saved(workspace, "parquet")
        spec = {{"model": "embedded", "data": "d"}}
        train = JobDirectory.create(workspace.new_job_path("train"), kind="train", title="t", spec=spec, resource=None)
        train.write_status(done)
        train.append_event({{"type": "metric", "attempt": 1, "step": 1, "loss": 1.0}})
        train.append_event({{"type": "metric", "attempt": 1, "step": 2, "loss": 0.5}})
        training_tab.result(workspace, train, done)
        with gr.Blocks():
            form = training_form.lay_out(Page(Settings(workspace.root), gr.Tabs(), gr.Textbox())).form
        assert "Memory:" in "".join(str(value) for value in form.initial(workspace))
        training_form.defaults(workspace)
        evaluation_tab.defaults(workspace)
        assert evaluation_tab.with_models(workspace, {{}})["models"] == ["embedded", f"job:{{train.id}}"]
        evaluation_tab.task_options(workspace)
        export_plan.size_choices(workspace, train.id)
        (train.path / "adapter").mkdir()
        (train.path / "adapter" / "adapter_config.json").write_text('{{"base_model_name_or_path": "embedded"}}')
        train.write_manifest({{"figures": {{}}, "artifacts": {{}}, "seconds": 1}})
        # The embedded model isn't unpacked in this cache: looking at the tab must not do it.
        assert export_plan.BASE_COMES_FIRST in export_plan.plan_html(workspace, ExportSpec(job=train.id))
        chat_panel.held_out_prompt(workspace)
        chat_view.conversation_html(workspace, chat_models.names_of(workspace))
        machine.strip_view(workspace, "")
        print([name for name in ("torch", "transformers", "trl", "unsloth", "peft", "datasets") if name in sys.modules])
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HEARTH_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().splitlines()[-1] == "[]"


def test_for_the_snake_dataset_the_tabs_begin_with_the_recipes_settings(workspace: Workspace) -> None:
    from datasets_src.build import build
    from recipes.snake.pipeline import evaluate_spec, train_spec, write_rows
    from ui import evaluation_tab, training_form

    assert training_form.defaults(workspace) == {}
    build(write_rows(workspace, rows=60), workspace)
    assert training_form.defaults(workspace)["optimisation"]["max_steps"] == train_spec().optimisation.max_steps
    assert evaluation_tab.defaults(workspace)["game_steps"] == evaluate_spec("embedded", "job:x").game_steps


def test_without_a_trained_model_the_later_tabs_say_what_to_do(workspace: Workspace) -> None:
    from ui import chat_acts, evaluation_tab

    with pytest.raises(Missing, match="no trained model"):
        evaluation_tab.require_trained(workspace)
    with pytest.raises(Missing, match="no trained model"):
        chat_acts.open_chat(workspace)


def test_an_empty_question_is_refused(workspace: Workspace) -> None:
    from ui import chat_acts

    with pytest.raises(BadInput, match="nothing to ask"):
        chat_acts.send(workspace, "  ")


def test_the_snake_example_is_what_a_fresh_workspace_offers(workspace: Workspace) -> None:
    from datasets_src.build import build
    from datasets_src.spec import DatasetSpec
    from recipes.snake.pipeline import write_rows
    from ui import dataset_draft, datasets_tab

    assert dataset_draft.chosen_source(workspace) == dataset_draft.SNAKE
    assert not datasets_tab.snake_rows_are_there(workspace)
    demo = build(write_rows(workspace, rows=60), workspace)
    assert datasets_tab.snake_rows_are_there(workspace)
    spec = DatasetSpec.parse(dataset_draft.snake_values())
    assert {source.tag for source in spec.sources} == {"BFS", "DFS", "A*", "Hamiltonian"}
    assert build(spec, workspace).id == demo.id, "the page builds what the demo builds"


def test_the_error_boundary_keeps_outputs_and_shows_the_error(workspace: Workspace) -> None:
    import gradio as gr

    from ui.page import Page, Settings

    def fails(_: Workspace, text: str) -> list[str]:
        raise BadInput(f"{text} is bad.", "It is.", "Mend it.")

    with gr.Blocks() as blocks:
        field, error = gr.Textbox(), gr.HTML(visible=False)
        page = Page(Settings(workspace.root), gr.Tabs(), gr.Textbox())
        page.on(gr.Button().click, fails, [field], [field], error)
    (event,) = blocks.fns.values()
    assert event.fn is not None
    kept, shown = event.fn(None, "this")
    assert kept == gr.skip()
    assert "this is bad." in shown.value and shown.visible


def test_what_was_entered_survives_and_what_was_not_follows_the_dataset(workspace: Workspace) -> None:
    import gradio as gr

    from trainer.spec import TrainSpec
    from ui import form as forms

    base: dict[str, object] = {"optimisation": {"batch_size": 16, "max_steps": 100}}
    with gr.Blocks():
        form = forms.lay_out(TrainSpec, "training", "python cli.py train spec.yaml", base=lambda _: base)
    shown = dict(zip(form.components, form.initial(workspace), strict=False))
    assert shown["optimisation.batch_size"] == 16
    shown["optimisation.batch_size"] = 8  # the spec's own default, but not what stood there
    form.keep(workspace, list(shown.values()))
    base["optimisation"] = {"max_steps": 50}
    again = dict(zip(form.components, form.initial(workspace), strict=False))
    assert again["optimisation.batch_size"] == 8
    assert again["optimisation.max_steps"] == 50


def test_all_problems_of_a_pasted_yaml_are_in_one_message(workspace: Workspace) -> None:
    import gradio as gr

    from trainer.spec import TrainSpec
    from ui import form as forms

    with gr.Blocks():
        form = forms.lay_out(TrainSpec, "training", "python cli.py train spec.yaml")
    with pytest.raises(BadInput) as problem:
        form.from_yaml("epoch: 3\nmethod: {rank: 0}\n")
    assert all(name in problem.value.what for name in ("data", "epoch", "method.rank"))
    with pytest.raises(BadInput, match="line 2"):
        form.from_yaml("data: d\n  model: [")
    raw = form.from_yaml("data: d\nmethod: {rank: 4}\n")
    text = form.as_yaml(workspace, [raw[path] for path in form.components])
    assert form.from_yaml(text) == raw
