"""Making rows on the page: a template's preview and refusals, what teachers will take, using what came of either."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from datasets_src.synthesis.spec import SynthesisSpec
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput
from jobs.workspace import Workspace
from tests.toys import write_rows
from ui import expansion_panel, own_rows, synthesis_panel
from ui.expansion_panel import EXAMPLE, parsed, tried, tried_html
from ui.page import Page, Settings
from ui.sources import card_of
from ui.synthesis_panel import EMBEDDED, SynthesisPanel


@pytest.fixture
def panel(workspace: Workspace) -> SynthesisPanel:
    with gr.Blocks():
        return synthesis_panel.lay_out(Page(Settings(workspace.root), gr.Tabs(), gr.Textbox()))


def entered(workspace: Workspace, panel: SynthesisPanel, **options: Any) -> list[Any]:
    """The form's values with these options entered."""
    raw = dict(zip(panel.form.components, panel.form.initial(workspace), strict=False)) | options
    return [raw[path] for path in panel.form.components]


def test_the_example_of_a_template_makes_rows_and_says_what_it_refuses() -> None:
    found = tried(parsed(EXAMPLE))
    assert found.made == 40 and found.complete and len(found.rows) == expansion_panel.ROWS_SHOWN
    html = tried_html(found)
    assert "<b>40 rows</b>" in html and "What do you suggest?" in html
    assert "the constraint not (dish == &quot;stew&quot; and minutes &lt; 30) doesn&#x27;t hold" in html
    assert "such as dish stew" in html


def test_a_large_template_is_previewed_without_making_all_of_it() -> None:
    text = EXAMPLE.replace("stop: 60, step: 10", "stop: 60000, step: 1").replace("mode: sample\ncount: 40\n", "")
    found = tried(parsed(text))
    assert not found.complete and "more than 5,000 rows" in tried_html(found)


def test_a_template_that_cannot_be_read_names_its_fault() -> None:
    with pytest.raises(BadInput, match="Line 2"):
        parsed("name: a\n  parameters: [")
    with pytest.raises(BadInput, match="template"):
        parsed("name: a\n")


def test_a_used_template_is_a_source_that_builds(workspace: Workspace) -> None:
    (item,) = expansion_panel.source_of(Settings(workspace.root), workspace, EXAMPLE)
    assert item == {"path": "uploads/recipes.yaml"}
    assert "40 rows" in card_of(workspace, item).about
    spec = {"name": "recipes", "sources": [item], "near_duplicates": None}
    version = build(DatasetSpec.parse(spec), workspace)
    assert version.train_rows + version.eval_rows == 40


def test_the_demo_takes_small_templates_alone(workspace: Workspace) -> None:
    large = EXAMPLE.replace("stop: 60, step: 10", "stop: 60000, step: 1").replace("mode: sample\ncount: 40\n", "")
    with pytest.raises(BadInput, match="demo"):
        expansion_panel.source_of(Settings(workspace.root, demo=True), workspace, large)
    assert not (workspace.uploads / "recipes.yaml").exists()


def test_before_the_start_it_is_said_what_the_teachers_will_take(workspace: Workspace, panel: SynthesisPanel) -> None:
    values = entered(workspace, panel, mode="multi_turn", domains=[["jokes", "12", ""]])
    spec = synthesis_panel.checked_spec(Settings(workspace.root), workspace, panel.form, values)
    assert spec.teachers[0].model == "embedded"
    html = synthesis_panel.expected_html(workspace, spec)
    assert "requests" in html and "tokens to read" in html and "<b>free</b>" in html
    panel.listed.save(workspace, [{"model": "openai:large", "base_url": "https://api.example.com/v1"}])
    spec = synthesis_panel.checked_spec(Settings(workspace.root), workspace, panel.form, values)
    assert "cost unknown, since not all prices are given" in synthesis_panel.expected_html(workspace, spec)
    assert "cost is unknown" in panel.listed.describe(workspace, panel.listed.items(workspace)[0]).about


def test_teachers_survive_the_yaml(workspace: Workspace, panel: SynthesisPanel) -> None:
    teachers = [
        {"model": "ollama:small", "weight": 2.0, "extra_body": {"reasoning_effort": "low"}},
        {"model": "openai:large", "base_url": "https://api.example.com/v1", "price_in": 1.0, "price_out": 2.0},
    ]
    panel.listed.add(workspace, teachers)
    panel.form.keep(workspace, entered(workspace, panel, mode="multi_turn", **{"judge.rubric": "Is it right?"}))
    text = panel.form.initial(workspace)[-1]
    other = Workspace(workspace.root.parent / "other")
    panel.form.load(other, text)
    assert panel.listed.items(other) == [EMBEDDED, *teachers]
    shown = panel.form.initial(other)[:-1]
    spec = panel.form.parse(other, shown)
    assert isinstance(spec, SynthesisSpec) and spec.judge is not None and spec.judge.rubric == "Is it right?"
    assert spec == panel.form.parse(workspace, panel.form.initial(workspace)[:-1])


def test_the_demo_asks_no_other_machine(workspace: Workspace, panel: SynthesisPanel) -> None:
    demo = Settings(workspace.root, demo=True)
    values = entered(workspace, panel, mode="multi_turn", domains=[["jokes", "12", ""]])
    assert synthesis_panel.checked_spec(demo, workspace, panel.form, values).domains[0].count == 12
    many = entered(workspace, panel, mode="multi_turn", domains=[["jokes", "500", ""]])
    with pytest.raises(BadInput, match="too much for the demo"):
        synthesis_panel.checked_spec(demo, workspace, panel.form, many)
    panel.listed.save(workspace, [{"model": "openai:large", "base_url": "http://169.254.169.254/v1"}])
    with pytest.raises(BadInput, match="demo"):
        synthesis_panel.checked_spec(demo, workspace, panel.form, values)


def test_an_input_elsewhere_is_refused(workspace: Workspace, panel: SynthesisPanel) -> None:
    values = entered(workspace, panel, input="/etc/passwd")
    with pytest.raises(BadInput, match="outside the workspace"):
        synthesis_panel.checked_spec(Settings(workspace.root), workspace, panel.form, values)


def test_what_teachers_wrote_is_shown_and_can_be_used(workspace: Workspace, panel: SynthesisPanel) -> None:
    job = JobDirectory.create(
        workspace.new_job_path("data.synthesise"), kind="data.synthesise", title="jokes", spec={}, resource=None
    )
    running, done = Status(State.RUNNING), Status(State.SUCCEEDED)
    assert synthesis_panel.result(workspace, job, running)[0] == ""
    rows: list[dict[str, Any]] = [
        {
            "messages": [{"role": "user", "content": f"Joke {n}?"}, {"role": "assistant", "content": "Ha <b>"}],
            "tag": "j",
        }
        for n in range(9)
    ]
    write_rows(job.path / "rows.jsonl", rows)
    with (job.path / "rows.jsonl").open("a") as file:
        file.write('{"messages": [{"role"')  # a line that is being written
    html, use = synthesis_panel.result(workspace, job, running)
    assert "jokes, row 1" in html and "Joke 0?" in html and "Ha &lt;b&gt;" in html and not use.visible
    write_rows(job.path / "rows.jsonl", rows)
    job.write_manifest({"figures": {"summary": ["9 of 9 rows made."], "warnings": []}, "artifacts": {}, "seconds": 1})
    job.write_status(done)
    html, use = synthesis_panel.result(workspace, job, done)
    assert "9 of 9 rows made." in html and use.visible
    ((label, value),) = own_rows.synthesis_options(workspace)
    assert "jokes" in label and "done" in label
    assert synthesis_panel.source_of(panel, workspace) == [{"path": f"job:{value}"}]
    assert "9 rows" in card_of(workspace, {"path": f"job:{value}"}).about
