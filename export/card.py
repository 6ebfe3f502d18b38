"""The model card: data, settings, verdict, parity, licence chain and usage, as the Hub's front matter and Markdown."""

from __future__ import annotations

from typing import Any

import yaml

from datasets_src.store import open_version
from export.readme import Contents, check_section, ollama_name
from export.source import Source
from jobs.errors import Missing
from jobs.workspace import Workspace

_SETTINGS = ("method", "optimisation", "max_length", "precision", "seed")


def model_card(workspace: Workspace, source: Source, contents: Contents) -> str:
    """The whole text of a README.md for the Hub."""
    sections = [
        f"# {source.name}",
        f"Fine-tuned with Hearth from {_base(source)}" + (f" on {source.data}." if source.data else "."),
        _verdict(workspace, source),
        _usage(contents),
        check_section(contents),
        _data(workspace, source),
        _settings(source),
        _licences(source),
    ]
    return _front_matter(source) + "\n\n".join(section for section in sections if section) + "\n"


def _base(source: Source) -> str:
    return f"[{source.hub_id}](https://huggingface.co/{source.hub_id})" if source.hub_id else source.model.folder.name


def _front_matter(source: Source) -> str:
    values: dict[str, Any] = {**source.card}
    if source.hub_id:
        values["base_model"] = source.hub_id
    values |= {"pipeline_tag": "text-generation", "library_name": "transformers", "tags": ["hearth", "fine-tuned"]}
    return f"---\n{yaml.safe_dump(values, allow_unicode=True, sort_keys=False)}---\n\n"


def _verdict(workspace: Workspace, source: Source) -> str:
    """The newest evaluation's verdict on this model; that there is none is said."""
    name = f"job:{source.job.id}"
    for job in workspace.list_jobs("evaluate"):
        spec, manifest = job.header["spec"], job.manifest
        if manifest is None or name not in spec["models"]:
            continue
        measure = manifest["figures"]["measures"][0]
        lines = [
            f"- {verdict['candidate']} against {verdict['reference']}: {verdict['sentence']}"
            for verdict in measure["verdicts"]
        ]
        task = spec.get("task", "exact_match")
        return f"## Is it better?\n\nTask {task}, measured as {measure['metric']}:\n\n" + "\n".join(lines)
    return "## Is it better?\n\nNot evaluated yet: nothing is claimed."


def _usage(contents: Contents) -> str:
    if contents.best_gguf is None:
        return ""
    name = ollama_name(contents.best_gguf)
    return (
        "## Use\n\n```\n"
        f"ollama create {name} -f Modelfile-{contents.best_gguf.rsplit('-', 1)[-1].removesuffix('.gguf')}\n"
        f"ollama run {name}\n```\n\nor\n\n```\n"
        f"llama-server -m {contents.best_gguf} --jinja -c {contents.context_length}\n```"
    )


def _data(workspace: Workspace, source: Source) -> str:
    if source.data is None:
        return "## Data\n\nThe dataset is gone."
    try:
        version = open_version(workspace, source.data)
    except Missing:
        return f"## Data\n\n{source.data}; it is gone."
    counts = f"{len(version.train()):,} rows for training, {len(version.eval()):,} held out"
    lines = [
        f"- {entry['source']}: {entry['train']:,} rows for training" for entry in version.report.get("sources", [])
    ]
    return "## Data\n\n" + "\n".join([f"{source.data}: {counts}.", "", *lines])


def _settings(source: Source) -> str:
    """What training was told, and what it decided on the way."""
    spec = source.job.header["spec"]
    shown = {name: spec[name] for name in _SETTINGS if name in spec}
    decided = {
        name: entry["value"] for name, entry in (source.job.resolved or {}).items() if name in ("backend", "precision")
    }
    text = yaml.safe_dump({**shown, **({"decided": decided} if decided else {})}, allow_unicode=True, sort_keys=False)
    return f"## Settings\n\n```yaml\n{text}```"


def _licences(source: Source) -> str:
    """The chain: base, data, and what follows for this model."""
    lines = [
        f"- Base model {_base(source)}: {source.license or 'licence not stated'}",
        f"- Data {source.data or 'unknown'}: licence not stated by the dataset",
    ]
    ending = "This model may be used only in ways that each of them allows; what is not stated has to be asked for."
    return "## Licences\n\n" + "\n".join(lines) + f"\n\n{ending}"
