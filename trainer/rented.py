"""A training run on a rented GPU: a SkyPilot task that does with a spec there what would be done here.

`sky launch task.yaml` rents the cheapest machine it finds for one of the cards, copies the dataset, installs Hearth and
trains. Keys as in SkyPilot's YAML reference (docs.skypilot.co/en/latest/reference/yaml-spec.html).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jobs.errors import BadInput
from models.reference import ModelRef
from trainer.spec import TrainSpec

REPOSITORY = "REPLACE-WITH-THE-ADDRESS-OF-YOUR-HEARTH-REPOSITORY"
REPOSITORY_VARIABLE = "HEARTH_REPOSITORY"
# What the driver, other processes and an estimate's error may take.
HEADROOM = 1.15
DISK_GB = 100
IDLE_MINUTES = 15
PLACE = "~/hearth-run"
ACCELERATOR = re.compile(r"[A-Za-z0-9.-]+(:\d+)?")
END = "END_OF_SPEC"


@dataclass(frozen=True)
class RentedCard:
    """A card under the name SkyPilot has for it, with its memory in GB (10⁹ bytes)."""

    name: str
    memory_gb: float


# One of each size that many clouds rent, the smaller (and cheaper) first.
CARDS = (
    RentedCard("T4", 16),
    RentedCard("L4", 24),
    RentedCard("A10G", 24),
    RentedCard("A100", 42),
    RentedCard("L40S", 48),
    RentedCard("A100-80GB", 85),
    RentedCard("H100", 85),
    RentedCard("H200", 150),
)
MOST_CARDS = 4


def skypilot_task(
    spec: TrainSpec,
    datasets: Mapping[str, Path],
    gpu: str | None = None,
    estimate_gb: float | None = None,
    repository: str | None = None,
) -> str:
    """The task as YAML, with what to do with it in comments above.

    `datasets`: the folder of each dataset version that the spec names, by `name@version`. `gpu`: SkyPilot's name of a
    card; without it those are tried that hold `estimate_gb`, the smallest first. Raises BadInput for a model that the
    rented machine can't get, or where neither says what to rent.
    """
    _require_obtainable(spec)
    name = re.sub(r"[^a-z0-9]+", "-", f"hearth-{spec.title}".lower()).strip("-")[:40].rstrip("-")
    task = {
        "name": name,
        "resources": {
            "accelerators": _accelerators(gpu, estimate_gb),
            "disk_size": DISK_GB,
            "autostop": {"idle_minutes": IDLE_MINUTES},
        },
        "envs": {REPOSITORY_VARIABLE: repository or REPOSITORY},
        "secrets": {"HF_TOKEN": ""},
        "file_mounts": {_remote_folder(each): str(folder.resolve()) for each, folder in datasets.items()},
        "setup": _setup(),
        "run": _run(spec),
    }
    return _guide(name, repository) + yaml.dump(task, Dumper=_Blocks, sort_keys=False, allow_unicode=True, width=120)


def spec_of_task(task: str) -> TrainSpec:
    """The spec that a task's run command trains with."""
    run = str(yaml.safe_load(task)["run"])
    return TrainSpec.parse(yaml.safe_load(run.split(f"<<'{END}'\n")[1].split(f"\n{END}\n")[0]), "the task's spec")


def _require_obtainable(spec: TrainSpec) -> None:
    kind = ModelRef.parse(spec.model).kind
    if kind not in ("embedded", "hub"):
        raise BadInput(
            f"model: {spec.model} is on this machine alone.",
            "A rented machine gets its model from the Hub.",
            "Name a Hub id, or push the model to the Hub and name that.",
        )


def _accelerators(gpu: str | None, estimate_gb: float | None) -> str | list[str]:
    """What SkyPilot is to rent; a list is tried in its order."""
    if gpu is not None:
        if not ACCELERATOR.fullmatch(gpu):
            raise BadInput(f"'{gpu}' names no card.", "A name looks like L4 or A100-80GB:1.", "See `sky show-gpus`.")
        return gpu if ":" in gpu else f"{gpu}:1"
    if estimate_gb is None:
        raise BadInput(
            "Nothing says which card to rent.",
            "How much memory the run needs isn't known.",
            f"Name one with --gpu, such as {CARDS[1].name} ({CARDS[1].memory_gb:g} GB).",
        )
    fitting = [f"{card.name}:1" for card in CARDS if card.memory_gb >= estimate_gb * HEADROOM]
    if not fitting:
        raise BadInput(
            f"No single card holds this run: it needs about {estimate_gb:.0f} GB.",
            f"The largest known, {CARDS[-1].name}, has {CARDS[-1].memory_gb:g} GB.",
            "Train with qlora, shorter rows or a smaller batch; or name a card with --gpu.",
        )
    return fitting[:MOST_CARDS]


def _remote_folder(dataset: str) -> str:
    name, _, version = dataset.partition("@")
    return f"{PLACE}/workspace/datasets/{name}/{version}"


def _setup() -> str:
    """Runs on each `sky launch`, so everything in it may be done twice."""
    return "\n".join(
        [
            "set -e",
            f'[ -d ~/hearth ] || git clone "${REPOSITORY_VARIABLE}" ~/hearth',
            "cd ~/hearth",
            "conda env list | grep -q '^hearth ' || conda create -y -n hearth python=3.11",
            "conda activate hearth",
            "pip install -r requirements.txt",
            "pip install --no-deps -r requirements-overlay.txt",
            "",
        ]
    )


def _run(spec: TrainSpec) -> str:
    return "\n".join(
        [
            "set -e",
            "conda activate hearth",
            "cd ~/hearth",
            f"cat > spec.yaml <<'{END}'",
            spec.to_yaml().rstrip("\n"),
            END,
            f"python cli.py train spec.yaml --workspace {PLACE}/workspace",
            "",
        ]
    )


def _guide(name: str, repository: str | None) -> str:
    """What to do with the file."""
    missing = f" --env {REPOSITORY_VARIABLE}=https://…" if repository is None else ""
    lines = [
        "Rent a GPU and train on it, with SkyPilot (pip install skypilot, then `sky check` for your clouds).",
        f"  Start:    sky launch -c {name} task.yaml{missing}",
        f"  Follow:   sky logs {name}",
        f"  Fetch:    rsync -a {name}:hearth-run/workspace/jobs/ workspace/jobs/",
        f"  End:      sky down {name}   (idle for {IDLE_MINUTES} minutes it stops by itself; its disk goes on costing)",
        "A model that needs a login on the Hub: set HF_TOKEN here, and add `--secret HF_TOKEN` to the first command.",
    ]
    return "".join(f"# {line}\n" for line in lines)


class _Blocks(yaml.SafeDumper):
    """Writes texts of several lines as such."""


def _block(dumper: yaml.SafeDumper, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Blocks.add_representer(str, _block)
