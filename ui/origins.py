"""Where the values of a form come from, and which of its fields don't matter now, beside the fields themselves.

It is said by a style sheet of a few rules, so that no field is drawn anew for it: a keystroke stays cheap, and what is
being typed keeps its focus. Knows nothing of gradio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ui.fields import Raw


@dataclass(frozen=True)
class Group:
    """Fields that stand together under a heading: the element's id and the fields' dotted names."""

    element: str
    paths: tuple[str, ...]


UNSAID = "default"


def element_of(tab: str, path: str) -> str:
    """The id of a field's element."""
    return f"{tab}-{path.replace('.', '-')}"


def origins_css(tab: str, origins: Mapping[str, str], idle: Mapping[str, str], groups: Sequence[Group]) -> str:
    """The style sheet. `origins`: words by option; `idle`: the options that don't matter now, and why.

    An idle option that doesn't have its default stays in sight, greyed, so that nothing unseen is started.
    """
    rules = [f".hearth-field {{ --unsaid: {css_text(UNSAID)}; }}"]
    rules += [_says(f"#{element_of(tab, path)}", words) for path, words in origins.items() if path not in idle]
    greyed = [path for path in idle if path in origins]
    rules += [_says(f"#{element_of(tab, path)}", f"not used: {idle[path]}") for path in greyed]
    rules += [f"#{element_of(tab, path)} {{ opacity: 0.55; }}" for path in greyed]
    hidden = [path for path in idle if path not in origins]
    if hidden:
        rules.append(f"{', '.join(f'#{element_of(tab, path)}' for path in hidden)} {{ display: none !important; }}")
    for group in groups:
        if group.paths and all(path in hidden for path in group.paths):
            reasons = ", ".join(dict.fromkeys(idle[path] for path in group.paths))
            rules.append(_says(f"#{group.element}", f"Not used: {reasons}."))
            rules.append(f"#{group.element} > .row {{ display: none !important; }}")
    return f"<style>{' '.join(rules)}</style>"


def _says(selector: str, words: str) -> str:
    return f"{selector} {{ --said: {css_text(words)}; }}"


def css_text(words: str) -> str:
    """A text as a string of a style sheet, which can't end the element it stands in."""
    escaped = "".join(character if character not in '\\"<\n\r' else f"\\{ord(character):x} " for character in words)
    return f'"{escaped}"'


PREFERENCES = ("beta", "loss", "sft_weight", "good_weight", "bad_weight")
ADAPTER = ("rank", "alpha", "dropout", "target_modules", "modules_to_save", "rslora", "dora")


def idle_options(raw: Raw) -> dict[str, str]:
    """The options of a training run that aren't read while the others are as `raw` says, each with the reason."""
    objective, adapter = raw.get("method.objective"), raw.get("method.adapter")
    idle: dict[str, str] = {}
    if objective not in ("dpo", "orpo", "kto"):
        idle |= {f"preference.{name}": "only dpo, orpo and kto weigh answers" for name in PREFERENCES}
    elif objective != "dpo":
        idle |= {f"preference.{name}": "only for dpo" for name in ("loss", "sft_weight")}
    if objective in ("dpo", "orpo"):
        idle |= {f"preference.{name}": "only for kto" for name in ("good_weight", "bad_weight")}
    if adapter == "none":
        idle |= {f"method.{name}": "every weight is trained, without an adapter" for name in ADAPTER}
    if adapter != "qlora":
        idle["method.loftq"] = "only for qlora"
    return idle
