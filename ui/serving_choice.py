"""What the Serving tab serves: the models that can be chosen, those that are, and the router's rules beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

from jobs.errors import BadInput
from jobs.workspace import Workspace
from serving import check
from serving.registry.records import PREFIX
from serving.registry.store import Registry
from serving.router.spec import RouterSpec
from serving.spec import ServeSpec
from ui.chat_models import model_options, names_of
from ui.choices import Option
from ui.drafts import read_draft, save_draft
from ui.form import tell_entered
from ui.page import Settings
from ui.paths import check_model

TAB = "serving"
ROUTING = "serving_routing"
LONGEST_NAME = 60


def serve_options(workspace: Workspace) -> list[Option]:
    """Label and text of each model that can be served, with the name that requests call it by.

    Registered names first, then what `model_options` has.
    """
    names = names_of(workspace)
    rest = [(label, _named(ref, names[ref])) for label, ref in model_options(workspace)]
    return [*registered_options(workspace), *rest]


def registered_options(workspace: Workspace) -> list[Option]:
    """Each registered name that has a version in production, or else a candidate."""
    options: dict[str, Option] = {}
    for version in Registry(workspace).find():
        if version.stage == "production":
            options[version.name] = (f"{version.name} · {version.label} is in production", f"{PREFIX}{version.name}")
        elif version.stage == "candidate":
            candidate = f"{version.name}={PREFIX}{version.name}:candidate"
            options.setdefault(version.name, (f"{version.name} · {version.label} is a candidate", candidate))
    return list(options.values())


def _named(ref: str, name: str) -> str:
    """A training under its title rather than its id; what has a name of its own stays as it is."""
    if not ref.startswith("job:"):
        return ref
    plain = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:LONGEST_NAME]
    return f"{plain or 'model'}={ref}"


def chosen_models(workspace: Workspace) -> list[str]:
    """The models chosen by hand, else the first that can be."""
    chosen = read_draft(workspace, TAB).get("models")
    return [str(each) for each in chosen] if chosen else [serve_options(workspace)[0][1]]


def is_nobodys_choice(workspace: Workspace, models: Sequence[str], shown: Sequence[str]) -> bool:
    """Whether the page itself shows these: what stands there now, or, while nobody has chosen, what was `shown`
    before something newer was made."""
    by_hand = read_draft(workspace, TAB).get("models")
    return list(models) == chosen_models(workspace) or (not by_hand and list(models) == list(shown))


def keep_models(workspace: Workspace, models: Sequence[str]) -> None:
    """Keep a choice; the default is none, so that it goes on following what is made next."""
    default = [serve_options(workspace)[0][1]]
    save_draft(workspace, TAB, models=list(models) if models and list(models) != default else None)


def rules_text(workspace: Workspace) -> str:
    """The router's rules as they stand on the part “Routing”, as YAML; "" for none."""
    return str(read_draft(workspace, ROUTING).get("yaml", ""))


def rules_are_used(workspace: Workspace) -> bool:
    """Whether the next server follows them."""
    return bool(read_draft(workspace, ROUTING).get("used", False)) and bool(rules_text(workspace).strip())


def keep_rules(workspace: Workspace, text: str, *, used: bool) -> None:
    save_draft(workspace, ROUTING, yaml=text or None, used=used or None)


def rules_values(text: str) -> Any:
    """What a YAML text says, a whole spec's part `router` or a router alone. Raises BadInput for what is no YAML."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"Line {mark.line + 1} of the rules" if mark else "The text of the rules"
        reason = str(getattr(error, "problem", None) or error)
        raise BadInput(f"{line} is not YAML.", reason, "Check indentation and quotes there.") from error
    return values["router"] if isinstance(values, dict) and set(values) >= {"router"} else values


def parsed_rules(text: str) -> RouterSpec:
    """The rules. Raises BadInput with every problem."""
    return RouterSpec.parse(rules_values(text), "The text of the rules")


def with_models(workspace: Workspace, values: dict[str, Any]) -> dict[str, Any]:
    """The form's values with the models, and with the rules where they are used."""
    known: dict[str, Any] = {"models": chosen_models(workspace), **values}
    return {**known, "router": rules_values(rules_text(workspace))} if rules_are_used(workspace) else known


def take_models(workspace: Workspace, values: dict[str, Any]) -> None:
    """Keep the models and rules of a spec that comes from YAML."""
    keep_models(workspace, [str(each) for each in values["models"]])
    router = values.get("router")
    if router is None:
        keep_rules(workspace, rules_text(workspace), used=False)
        return
    plain = RouterSpec.parse(router).to_yaml(only_changed=True)
    keep_rules(workspace, plain, used=True)
    tell_entered(workspace, ROUTING)


def require_startable(settings: Settings, workspace: Workspace, spec: ServeSpec) -> None:
    """What can be said before a server is started. Raises BadInput or Missing."""
    for text in check.resolved_texts(workspace, spec):
        check_model(settings, workspace, text)
    check.require_startable(workspace, spec)


def names_on_screen(workspace: Workspace) -> list[str]:
    """The names of the chosen models. Raises BadInput where they can't be served together."""
    spec = ServeSpec.parse({"models": chosen_models(workspace)}, "The list of models")
    return [name for name, _ in spec.named_models()]
