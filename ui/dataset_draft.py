"""What is being made on the Datasets tab: where its rows come from, kept as a draft, and the DatasetSpec of it.

The form shows the options; sources and edits by hand have components of their own and are put into the spec here.
"""

from __future__ import annotations

from typing import Any

from datasets_src.spec import DATASET, INTERACTIONS, JOB, DatasetSpec, SourceSpec
from jobs.errors import BadInput
from jobs.spec import read_yaml
from jobs.workspace import Workspace
from recipes.snake import pipeline
from ui import demo
from ui import form as forms
from ui.drafts import read_draft, save_draft
from ui.edits import edits_of
from ui.fields import to_raw
from ui.form import Form
from ui.page import Settings
from ui.paths import check_model, inside

TAB = "datasets"
SOURCES = "sources"
SNAKE, OWN = "Snake example", "My own rows"
SNAKE_FOLDER = "uploads/snake"
SNAKE_SPEC = pipeline.FOLDER / "data.yaml"
# What belongs to one choice of rows and is put aside while the other is shown.
OF_A_CHOICE = ("form", "edits", "undone_edits")

Values = dict[str, Any]


def chosen_source(workspace: Workspace) -> str:
    return str(read_draft(workspace, TAB).get("source", SNAKE))


def change_source(workspace: Workspace, chosen: str) -> None:
    """Bring out what was entered for this choice before, and keep what is entered for the other."""
    draft, left = read_draft(workspace, TAB), chosen_source(workspace)
    if chosen == left:
        return
    put_aside = {name: draft[name] for name in OF_A_CHOICE if name in draft}
    brought = draft.get("other", {}).get(chosen, {})
    restored = {name: brought.get(name) for name in OF_A_CHOICE}
    save_draft(workspace, TAB, **{**restored, "form": brought.get("form", {})}, source=chosen, other={left: put_aside})


def prepare(workspace: Workspace, source: str, step: str) -> None:
    """Have every page show the Datasets tab with these rows, at this step."""
    change_source(workspace, source)
    prepared = int(read_draft(workspace, TAB).get("prepared", 0)) + 1
    save_draft(workspace, TAB, source=source, step=step, prepared=prepared)


def base_values(workspace: Workspace) -> Values:
    """What the form shows before anything is entered: the Snake example's options, or a name alone."""
    return snake_values() if chosen_source(workspace) == SNAKE else {"name": "my-data"}


def snake_values() -> Values:
    """The recipe's spec, with its files where the page writes them."""
    values = dict(read_yaml(SNAKE_SPEC))
    sources = [{**source, "path": f"{SNAKE_FOLDER}/{source['path']}"} for source in values["sources"]]
    return {**values, "sources": sources}


def sources_of(workspace: Workspace) -> list[Values]:
    """The sources as a DatasetSpec takes them."""
    if chosen_source(workspace) == SNAKE:
        return list(snake_values()["sources"])
    return list(read_draft(workspace, TAB).get(SOURCES, []))


def with_rows(workspace: Workspace, values: Values) -> Values:
    """The form's values with the sources and with those edits whose source is among them."""
    sources = sources_of(workspace)
    edits = [edit for edit in edits_of(workspace) if any(_may_be_named(source, edit["source"]) for source in sources)]
    return {**values, "sources": sources, "edits": edits}


def _may_be_named(source: Values, label: str) -> bool:
    """Whether a build could call the source so: by the end of its path, numbered where it is used twice."""
    name = str(source.get("path") or "pasted")
    return any(f"/{name}".endswith(f"/{each}") for each in (label, label.partition("#")[0]))


def take_rows(workspace: Workspace, values: Values) -> None:
    """Keep the sources and edits of a spec that was read from YAML."""
    sources = [SourceSpec.parse(source) for source in values["sources"]]
    plain = [source.model_dump(mode="json", exclude_defaults=True) for source in sources]
    snake = [
        SourceSpec.parse(source).model_dump(mode="json", exclude_defaults=True) for source in snake_values()["sources"]
    ]
    change_source(workspace, SNAKE if plain == snake else OWN)
    if plain != snake:
        save_draft(workspace, TAB, **{SOURCES: plain})
    save_draft(workspace, TAB, edits=values["edits"] or None, undone_edits=None)


def lay_out_form() -> Form:
    """Draw the form of the options here; sources and edits are shown elsewhere."""
    return forms.lay_out(
        DatasetSpec,
        TAB,
        "python cli.py data build spec.yaml",
        hide=(SOURCES, "edits"),
        complete=with_rows,
        take=take_rows,
        base=base_values,
    )


def checked_spec(settings: Settings, workspace: Workspace, form: Form, values: tuple[Any, ...]) -> DatasetSpec:
    """The spec on screen, its files inside the workspace and nothing in it that this page may not use.

    Raises BadInput.
    """
    if not sources_of(workspace):
        raise BadInput(
            "There are no rows yet.",
            "No source is listed.",
            "Upload a file or paste rows under Sources, or choose the Snake example.",
        )
    spec = form.parse(workspace, values)
    assert isinstance(spec, DatasetSpec)
    for source in spec.sources:
        check_source(settings, workspace, source)
    for path in spec.contamination:
        check_source(settings, workspace, SourceSpec(path=path))
    if spec.model is not None:
        check_model(settings, workspace, spec.model)
    return spec


def check_source(settings: Settings, workspace: Workspace, source: SourceSpec) -> None:
    """Raises BadInput for a file outside the workspace and, in the demo, for rows from elsewhere."""
    if source.is_file:
        inside(workspace, str(source.path))
        return
    if source.text is not None:
        demo.check_small(settings, "Characters of pasted rows", len(source.text), demo.LARGEST_UPLOAD)
    own = source.path is None or source.path == INTERACTIONS or source.path.startswith((DATASET, JOB))
    if settings.demo and not own:
        raise BadInput(
            f"{source.path} can't be used in the demo.",
            "The demo reads uploaded and pasted rows only, to stay small.",
            "Upload a part of it, or run Hearth on your own machine.",
        )


def spec_on_screen(workspace: Workspace, form: Form) -> DatasetSpec | None:
    """The spec as the draft has it; None while it can't be parsed."""
    shown = form.initial(workspace)[:-1]
    try:
        spec = form.parse(workspace, shown)
    except BadInput:
        return None
    assert isinstance(spec, DatasetSpec)
    return spec


def enter(workspace: Workspace, form: Form, **options: Any) -> list[Any]:
    """Enter options into the form, in the spec's own shape; what its components show then, and its YAML."""
    fields = {each.path: each for each in form.shown}
    raw = dict(zip(form.components, form.initial(workspace), strict=False))
    raw |= {name: to_raw(fields[name], value) for name, value in options.items()}
    form.keep(workspace, [raw[path] for path in form.components])
    return form.initial(workspace)
