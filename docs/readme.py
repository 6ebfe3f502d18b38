"""Keeps what is generated true: README.md's file tree, docs/options.md, docs/formats.md and docs/checks.md.

    python -m docs.readme            writes them
    python -m docs.readme --check    exits 1 when something there isn't what the code says

A file's line in the tree is the first sentence of its own docstring (or first comment).
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from datasets_src.expansion import ExpansionSpec
from datasets_src.spec import DatasetSpec
from datasets_src.synthesis.spec import SynthesisSpec
from docs.formats import checks_page, formats_page
from docs.screenshots import TABS
from evaluation.chat_spec import ChatSpec
from evaluation.judge.spec import JudgingSpec
from evaluation.pairs.spec import PairsSpec
from evaluation.spec import EvaluateSpec
from export.hub import HubSpec
from export.ollama.spec import OllamaSpec
from export.spec import ExportSpec
from models.downloads.spec import DownloadSpec
from serving.experiments.spec import ExperimentSpec
from serving.loop.spec import LoopSpec
from serving.spec import ServeSpec
from trainer.spec import TrainSpec
from trainer.sweep import SweepSpec

PROJECT = Path(__file__).resolve().parent.parent
SPECS: tuple[type[BaseModel], ...] = (
    DownloadSpec,
    DatasetSpec,
    ExpansionSpec,
    SynthesisSpec,
    TrainSpec,
    SweepSpec,
    EvaluateSpec,
    ChatSpec,
    JudgingSpec,
    PairsSpec,
    ExportSpec,
    OllamaSpec,
    HubSpec,
    ServeSpec,
    ExperimentSpec,
    LoopSpec,
)
PLAIN = {
    "LICENSE": "Apache-2.0",
    "README.md": "this page",
    "pyproject.toml": "settings of ruff, mypy, pytest and import-linter",
    "docs/options.md": "every option of every spec, generated",
    "docs/formats.md": "every format of rows with an example and what it becomes, generated",
    "docs/checks.md": "every health check with its remedies, generated",
    **{f"docs/pictures/{tab}.png": f"the {tab.capitalize()} tab, made by docs/screenshots.py" for tab in TABS},
    "ui/translation/zh.yaml": "the page in Chinese",
    ".dockerignore": "what isn't copied into an image",
    "packaging/grafana/dashboards/hearth.json": "the dashboard of served models",
    ".gitignore": "what isn't kept in the repository",
    "ui/hearth.svg": "the page's icon",
    "tests/__init__.py": "Mirrors the folders above",
}


def described_files() -> dict[str, str]:
    """Each tracked file and its line, in order."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = sorted(path for path in set(listed.stdout.splitlines()) if (PROJECT / path).exists())
    return {path: _line(path) for path in paths}


def _line(path: str) -> str:
    if path in PLAIN:
        return PLAIN[path]
    if path.endswith(".gotmpl"):  # a comment inside would be part of what goes to Ollama
        return "Go template for Ollama, or a part of one; families.py names whose"
    text = (PROJECT / path).read_text(encoding="utf-8", errors="replace")
    if path.endswith(".py"):
        return _first_sentence(ast.get_docstring(ast.parse(text)) or "")
    comments = [line.strip("#/*<!-> ") for line in text.splitlines()[:4] if line[:1] in "#/<" and line[:2] != "#!"]
    return _first_sentence(next((line for line in comments if line and not line.startswith("svg")), ""))


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".:")


def file_tree() -> str:
    """The tree as an indented list in a code block, a folder's __init__ line standing for the folder."""
    lines = ["```text"]
    folder = ""
    files = described_files()
    for path in sorted(files, key=lambda path: path.rpartition("/")):
        parent, _, name = path.rpartition("/")
        if parent != folder:
            folder = parent
            lines.append(f"{parent + '/':<34}{files.get(f'{parent}/__init__.py', '')}".rstrip())
        if name == "__init__.py":
            continue
        shown = f"  {name}" if parent else name
        lines.append(f"{shown:<34}{files[path]}".rstrip())
    return "\n".join([*lines, "```"])


def option_tables() -> str:
    """A table for each spec, its groups' options under dotted names."""
    parts = ["# Options", "", "Generated from the specs by `python -m docs.readme`.", ""]
    for spec in SPECS:
        parts += [f"## {spec.__name__}", "", (spec.__doc__ or "").strip().split("\n\n")[0], ""]
        parts += ["| option | default | what it does |", "|---|---|---|", *_rows(spec, ""), ""]
    return "\n".join(parts)


def _rows(spec: type[BaseModel], prefix: str) -> list[str]:
    rows = []
    for name, field in spec.model_fields.items():
        inner = _inner(field.annotation)
        if inner is not None:
            many = any(get_origin(part) in (list, tuple) for part in (field.annotation, *get_args(field.annotation)))
            rows += _rows(inner, f"{prefix}{name}{'[]' if many else ''}.")
            continue
        default = "required" if field.is_required() else _default(field)
        about = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{prefix}{name}` | {default} | **{field.title}.** {about} |")
    return rows


def _default(field: Any) -> str:
    first, second = (field.get_default(call_default_factory=True) for _ in range(2))
    return _shown(first) if first == second else "drawn at random"


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner(part)) is not None), None)


def _shown(value: Any) -> str:
    if value is None or value in ("", [], {}, ()):
        return "empty"
    if isinstance(value, list | tuple):
        return f"`{', '.join(map(str, value))}`"
    return f"`{value}`" if not isinstance(value, bool) else f"`{str(value).lower()}`"


def with_part(text: str, name: str, content: str) -> str:
    """`text` with what stands between the marks of part `name` replaced."""
    begin, end = f"<!-- {name}: generated -->", f"<!-- /{name} -->"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"README.md lacks the marks {begin} and {end}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def current() -> dict[Path, str]:
    """What the generated files should hold."""
    readme = PROJECT / "README.md"
    return {
        PROJECT / "docs" / "options.md": option_tables(),
        PROJECT / "docs" / "formats.md": formats_page(),
        PROJECT / "docs" / "checks.md": checks_page(),
        readme: with_part(readme.read_text(encoding="utf-8"), "files", file_tree()),
    }


def main() -> None:
    """The command line: see the top of this file."""
    stale = [path for path, text in current().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        names = ", ".join(str(path.relative_to(PROJECT)) for path in stale)
        sys.exit(f"{names}: not what the code says; run python -m docs.readme" if stale else 0)
    for path in stale:
        path.write_text(current()[path], encoding="utf-8")
        print(f"wrote {path.relative_to(PROJECT)}")


if __name__ == "__main__":
    main()
