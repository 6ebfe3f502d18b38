"""What the Serving tab serves and to whom, its keys and its lines to copy, without a browser or a server."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from filelock import FileLock

from jobs.errors import BadInput, Missing
from jobs.spec import Spec
from jobs.workspace import Workspace
from serving.experiments.spec import ExperimentSpec
from serving.keys import Keys
from serving.registry.store import Registry
from serving.spec import ServeSpec
from tests.ui.serving_page import build, count_inputs, error_of, finished_training, handler, serve_job
from ui import form as forms
from ui import serving_keys, serving_panel
from ui.fields import form_fields, raw_of_spec, values_of_raw
from ui.page import SKIP, Settings
from ui.serving_choice import (
    TAB,
    chosen_models,
    is_nobodys_choice,
    keep_models,
    keep_rules,
    require_startable,
    rules_are_used,
    rules_text,
    serve_options,
    take_models,
    with_models,
)
from ui.serving_running import curl_line, python_lines, running_of, shown_server

ROOT = Path(__file__).resolve().parents[2]
RULES = "default: toy\nrules:\n- {name: code, when: {any_words: [python]}, to: toy}\n"


@pytest.fixture
def form() -> Iterator[forms.Form]:
    with gr.Blocks():
        yield forms.lay_out(
            ServeSpec,
            TAB,
            "python cli.py serve spec.yaml",
            hide=serving_panel.ELSEWHERE,
            complete=with_models,
            take=take_models,
        )


def test_without_any_training_the_embedded_model_is_served(workspace: Workspace) -> None:
    assert chosen_models(workspace) == ["embedded"]


def test_a_training_is_served_under_its_title_and_two_of_one_title_are_told_apart(workspace: Workspace) -> None:
    first, second = (finished_training(workspace, "Snake player!") for _ in range(2))
    texts = [text for _, text in serve_options(workspace) if "job:" in text]
    names = [text.split("=")[0] for text in texts]
    assert {text.split("=")[1] for text in texts} == {f"job:{first.id}", f"job:{second.id}"}
    assert len(set(names)) == 2 and all(name.startswith("snake-player") for name in names)
    assert ServeSpec.parse({"models": texts}).named_models()[0][0] == names[0]
    assert chosen_models(workspace) == texts[:1], "the newest training stands there by itself"


def test_registered_names_come_first_with_what_is_in_production(workspace: Workspace, tiny_model: Path) -> None:
    registry = Registry(workspace)
    registry.register("helper", str(tiny_model))
    assert serve_options(workspace)[0][1] == "helper=registry:helper:candidate"
    registry.promote("helper", 1, "it is the first")
    label, text = serve_options(workspace)[0]
    assert text == "registry:helper" and "helper@1 is in production" in label
    assert ServeSpec.parse({"models": [text]}).named_models() == [("helper", text)]


def test_a_choice_of_models_is_kept_and_the_default_is_none(workspace: Workspace) -> None:
    keep_models(workspace, ["embedded"])
    finished_training(workspace, "mine")
    assert chosen_models(workspace)[0].startswith("mine=job:"), "the default was no choice"
    keep_models(workspace, ["toy=embedded", "ollama:small"])
    assert chosen_models(Workspace(workspace.root)) == ["toy=embedded", "ollama:small"]


def test_what_a_page_showed_before_something_newer_was_made_is_nobodys_choice(workspace: Workspace) -> None:
    finished_training(workspace, "mine")
    assert is_nobodys_choice(workspace, chosen_models(workspace), ["embedded"])
    assert is_nobodys_choice(workspace, ["embedded"], ["embedded"]), "the page hasn't heard of the training yet"
    assert not is_nobodys_choice(workspace, ["ollama:small"], ["embedded"])
    keep_models(workspace, ["ollama:small"])
    assert not is_nobodys_choice(workspace, ["embedded"], ["embedded"]), "taken back by hand"


def test_yaml_with_models_and_rules_is_loaded_and_shown_as_it_was(workspace: Workspace, form: forms.Form) -> None:
    text = "models: [toy=embedded]\nport: 0\nlogging: {chats: true}\nrouter:\n" + textwrap.indent(RULES, "  ")
    form.load(workspace, text)
    assert chosen_models(workspace) == ["toy=embedded"] and rules_are_used(workspace)
    shown = form.as_yaml(workspace, form.initial(workspace)[: len(form.components)])
    assert shown.startswith("# python cli.py serve spec.yaml\n")
    assert form.from_yaml(shown)["logging.chats"] is True
    again = forms.values_in(ServeSpec, shown)
    assert again["models"] == ["toy=embedded"] and again["router"]["rules"][0]["name"] == "code"


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        (ServeSpec, {"models": ["toy=embedded"], "port": 0, "logging": {"chats": True, "retention_days": 30.0}}),
        (
            ExperimentSpec,
            {
                "name": "a",
                "arms": [{"model": "x", "percentage": 60}, {"model": "y", "percentage": 40, "name": "long"}],
                "guardrails": {"most_error_rate": None},
                "salt": "s",
            },
        ),
    ],
)
def test_values_survive_the_way_through_the_form(spec: type[Spec], values: dict[str, Any]) -> None:
    given = spec.parse(values)
    fields = [each for each in form_fields(spec) if not each.path.startswith("router.")]
    assert spec.parse(values_of_raw(fields, raw_of_spec(fields, given))) == given
    assert all(each.label and each.help for each in fields)


def test_yaml_without_rules_turns_them_off_but_keeps_what_was_written(workspace: Workspace, form: forms.Form) -> None:
    keep_rules(workspace, RULES, used=True)
    form.load(workspace, "models: [toy=embedded]\n")
    assert not rules_are_used(workspace) and rules_text(workspace) == RULES


def test_rules_that_are_no_yaml_are_told_where_the_yaml_stands_and_stop_the_start(workspace: Workspace) -> None:
    keep_rules(workspace, "default: [toy\n", used=True)
    blocks = build(workspace)
    defaults = [None] * count_inputs(blocks, "start-server")
    assert "is not YAML" in error_of(handler(blocks, "start-server")(None, *defaults))
    assert rules_text(workspace) == "default: [toy\n" and not workspace.list_jobs("serve")


def test_what_can_not_be_served_is_refused_before_a_job_is_made(workspace: Workspace, tmp_path: Path) -> None:
    here = Settings(workspace.root)
    with pytest.raises(BadInput, match="ask for a key"):
        require_startable(here, workspace, ServeSpec.parse({"models": ["embedded"], "keys": True}))
    with pytest.raises(Missing, match="registry has no"):
        require_startable(here, workspace, ServeSpec.parse({"models": ["registry:nobody"]}))
    others = Settings(workspace.root, local=False)
    with pytest.raises(BadInput, match="outside the workspace"):
        require_startable(others, workspace, ServeSpec.parse({"models": [f"x={tmp_path}"]}))
    Keys(workspace).create("me")
    require_startable(here, workspace, ServeSpec.parse({"models": ["embedded"], "keys": True}))


def test_the_demo_serves_nothing_makes_no_keys_and_asks_no_server(workspace: Workspace) -> None:
    blocks = build(workspace, demo=True)
    for elem_id, values in (
        ("start-server", [None] * count_inputs(blocks, "start-server")),
        ("make-key", ["me", None, None]),
    ):
        assert "can&#x27;t be done in the demo" in error_of(handler(blocks, elem_id)(None, *values))
    said = list(handler(blocks, "serving-send")(None, "Hello", "auto", "", "", "", ""))
    assert "can&#x27;t be done in the demo" in error_of(said[-1])


def test_a_key_is_shown_once_and_the_list_never_holds_it(workspace: Workspace) -> None:
    key = serving_keys.new_key(workspace, " me ", 10.0, 0.0)
    html, cursor = serving_keys.show(workspace)
    assert key not in html and f"…{key[-4:]}" in html and "10 requests a minute<" in html
    assert serving_keys.show(workspace, cursor) == [SKIP, SKIP]
    Keys(workspace).revoke("me")
    assert "revoked" in serving_keys.show(workspace, cursor)[0]


@pytest.mark.parametrize(("name", "limit", "said"), [(" ", None, "no name"), ("me", -1.0, "-1"), ("me", 1.5, "1.5")])
def test_a_key_needs_a_name_and_whole_limits(workspace: Workspace, name: str, limit: float | None, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        serving_keys.new_key(workspace, name, limit, None)
    assert not Keys(workspace).all()


def test_revoking_asks_once_and_names_the_key_it_asked_about(workspace: Workspace) -> None:
    Keys(workspace).create("one")
    Keys(workspace).create("two")
    blocks = build(workspace)
    asked = handler(blocks, "keys")(_Told({"action": "revoke", "about": "two"}), None)
    assert "two" in asked[0] and not [key for key in Keys(workspace).all() if key.revoked]
    handler(blocks, "revoke-key")(None, asked[2])
    assert [key.name for key in Keys(workspace).all() if key.revoked] == ["two"]


class _Told:
    """What Gradio says of an event."""

    def __init__(self, data: dict[str, str]) -> None:
        self._data = data


def test_an_address_with_lines_to_copy_shows_only_while_the_server_listens(workspace: Workspace) -> None:
    job = serve_job(workspace, "http://127.0.0.1:8123", models=["toy=embedded", "big=embedded"], keys=True)
    assert running_of(job, job.status()) is None, "its worker is gone"
    with pytest.raises(Missing, match="No server listens"):
        shown_server(workspace, job)
    with FileLock(job.lock_path):
        running = shown_server(workspace, None)
        assert running.models == ["auto", "toy", "big"]
        assert "http://127.0.0.1:8123/v1/chat/completions" in curl_line(running)
        assert "Bearer $HEARTH_KEY" in curl_line(running)
        compile(python_lines(running), "snippet", "exec")
        shown = serving_panel.result(workspace, job, job.status())
    assert shown[1] == "http://127.0.0.1:8123/v1" and shown[0].visible


def test_the_tabs_handlers_leave_torch_alone(tmp_path: Path) -> None:
    script = f"""
        import sys
        from pathlib import Path
        from jobs.workspace import Workspace
        from ui import serving_choice, serving_keys, serving_registry, serving_routing
        from tests.ui.serving_page import build
        workspace = Workspace(Path({str(tmp_path / "w")!r}))
        build(workspace)
        serving_registry.show(workspace)
        serving_keys.show(workspace)
        serving_choice.keep_rules(workspace, {RULES.replace("toy", "embedded")!r}, used=True)
        assert "embedded would answer" in serving_routing.told_decision(workspace, "python?", "", "", "", "")
        print([name for name in ("torch", "transformers", "trl", "unsloth", "peft", "datasets") if name in sys.modules])
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().splitlines()[-1] == "[]"
