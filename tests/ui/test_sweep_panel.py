"""The sweep panel's handlers: what is entered becomes runs, and the table follows them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from jobs import launcher
from jobs.directory import State, Status
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from tests.toys import publish_rows
from trainer.sweep import expand, list_sweeps, start
from ui.drafts import save_draft
from ui.page import SKIP, Page, Settings
from ui.sweep_panel import entered, grid_of, lay_out, preview_html, refuse_in_demo, show, table_html

ROOT = Path(__file__).resolve().parents[2]
ROW = {"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]}
CELLS = [["method.rank", "4, 8"], ["optimisation.learning_rate", "1e-4"], ["", ""]]


@pytest.fixture
def place(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace with a dataset, whose workers end at once instead of training."""
    publish_rows(workspace, "sums", [ROW], [ROW])
    monkeypatch.setattr(launcher, "WORKER_COMMAND", [sys.executable, "-c", "pass"])
    yield workspace


def test_values_are_read_as_the_form_reads_them() -> None:
    cells = [["optimisation.learning_rate", "1e-4, auto"], ["method.rank", "8"], ["saving.early_stopping", "3"]]
    cells += [["method.target_modules", "all-linear"], ["no.such", "x, y"], ["", ""]]
    assert grid_of(cells) == {
        "optimisation.learning_rate": [1e-4, "auto"],
        "method.rank": [8],
        "saving.early_stopping": [3],
        "method.target_modules": ["all-linear"],
        "no.such": ["x", "y"],
    }
    with pytest.raises(BadInput, match="twice"):
        grid_of([["seed", "1"], ["seed", "2"]])


def test_a_sweep_varies_what_stands_in_the_form(place: Workspace) -> None:
    save_draft(place, "training", form={"method.alpha": 64, "preset": "quick_lora", "max_length": 256})
    base = {"optimisation": {"max_steps": 7, "epochs": 2.0}}
    runs = expand(entered(place, base, "ranks", CELLS))
    assert [(run.spec.method.rank, run.spec.method.alpha, run.spec.max_length) for run in runs] == [
        (4, 64, 256),
        (8, 64, 256),
    ]
    assert runs[0].spec.data == "sums"
    assert runs[0].spec.optimisation.epochs == 2.0, "what stood there before anything was entered"
    assert runs[0].spec.optimisation.max_steps == 100, "a preset stands over it"


def test_presets_can_be_swept(place: Workspace) -> None:
    base = {"optimisation": {"max_steps": 7}}
    runs = expand(entered(place, base, "presets", [["preset", "quick_lora, production_lora"]]))
    assert [run.spec.method.rank for run in runs] == [8, 32]
    assert [run.spec.optimisation.max_steps for run in runs] == [100, None]


def test_the_preview_counts_the_runs_or_names_every_problem(place: Workspace) -> None:
    assert "2 runs will be trained" in preview_html(place, {}, "ranks", CELLS)
    many = preview_html(place, {}, "ranks", [["seed", ",".join(map(str, range(20)))]])
    assert "20 runs" in many and "and 14 more" in many
    wrong = preview_html(place, {}, "ranks", [["method.rang", "1"], ["<b>", "2"]])
    assert "did you mean method.rank?" in wrong and "&lt;b&gt;" in wrong and "<b>:" not in wrong
    assert "method.rank" in preview_html(place, {}, "ranks", [["", ""]]), "it says what may be entered"


def test_without_a_dataset_it_says_what_to_do(workspace: Workspace) -> None:
    with pytest.raises(Missing, match="no dataset"):
        entered(workspace, {}, "ranks", CELLS)
    shown, _, cursor = show(workspace)
    assert "No sweep yet" in shown
    assert show(workspace, cursor) == [SKIP] * 3


def test_the_table_follows_its_runs_and_marks_the_best(place: Workspace) -> None:
    sweep = start(place, entered(place, {}, "ranks", CELLS), "cpu")
    shown, button, cursor = show(place)
    assert shown.count("Waiting") == 2 and not button.visible
    assert show(place, cursor) == [SKIP] * 3, "nothing changed, nothing is drawn"
    for run, loss in zip(sweep.runs, (0.9, 0.4), strict=True):
        job = place.job(str(run.job))
        (job.path / "launched.json").unlink()
        job.write_status(Status(State.SUCCEEDED if loss < 0.5 else State.STOPPED))
        if loss < 0.5:
            job.write_manifest({"figures": {"eval_loss": loss, "final_loss": loss}})
    shown, button, _ = show(place, cursor)
    assert "Done" in shown and "Stopped" in shown and button.visible
    assert "best" not in shown, "one finished run is not compared with any"
    save_draft(place, "training", sweep_sort="eval_loss")
    sorted_html = show(place)[0]
    assert sorted_html.index("rank 8") < sorted_html.index("rank 4")
    assert 'aria-pressed="true"' in sorted_html


def test_titles_are_escaped(place: Workspace) -> None:
    sweep = start(place, entered(place, {}, "names", [["name", "<script>, plain"]]), "cpu")
    from trainer.sweep_table import table

    html = table_html(sweep, table(place, sweep), "")
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_a_demo_starts_none(workspace: Workspace) -> None:
    with gr.Blocks():
        page = Page(Settings(workspace.root, demo=True), gr.Tabs(), gr.Textbox())
    with pytest.raises(BadInput, match="demo"):
        refuse_in_demo(page)


def test_the_buttons_handlers_start_and_show_a_sweep(place: Workspace) -> None:
    with gr.Blocks() as blocks:
        page = Page(Settings(place.root), gr.Tabs(), gr.Textbox())
        panel = lay_out(page, lambda _: {})
    events: list[Any] = [each for each in blocks.fns.values() if panel.start._id in [t[0] for t in each.targets]]
    shown, *_ = events[0].fn(None, "ranks", CELLS)
    (sweep,) = list_sweeps(place)
    assert sweep.id in shown and len(sweep.runs) == 2
    kept = events[0].fn(None, "ranks", [["method.rang", "1"]])
    assert kept[:3] == [SKIP] * 3 and "did you mean" in kept[3].value


@pytest.mark.slow
def test_the_panel_loads_nothing_that_only_workers_need() -> None:
    script = "import sys, ui.sweep_panel, cli.sweep, trainer.rented, cli.rent, trainer.trackers, trainer.monitor\n"
    script += "print([name for name in ('torch', 'transformers', 'trl', 'trackio', 'wandb') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
