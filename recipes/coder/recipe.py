"""The coder example: two campaigns → SFT → preference pairs by the tests → DPO, each step compared."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from datasets_src.spec import DatasetSpec
from datasets_src.synthesis.spec import SynthesisSpec
from evaluation.pairs.spec import PairsSpec
from evaluation.spec import EvaluateSpec
from recipes.coder.generate import CAMPAIGNS, ROWS, generate
from recipes.coder.results import campaign_line, outcome_lines, step_verdicts
from recipes.coder.teachers import local_address
from recipes.recipe import Outcome, Progress, Recipe, Run, Step
from trainer.spec import TrainSpec

FOLDER = Path(__file__).parent
FEWEST = 40


def _place(run: Run) -> Path:
    return run.workspace.uploads / "coder"


def _write_rows(run: Run, progress: Progress) -> None:
    generate(_place(run), run.rows, progress)


def _campaign(run: Run, name: str) -> SynthesisSpec:
    """The campaign as it was written, with the teachers at their address in this process."""
    spec = SynthesisSpec.load(_place(run) / f"{name}.yaml").with_absolute_paths(_place(run))
    teachers = [teacher.model_copy(update={"base_url": local_address(_place(run))}) for teacher in spec.teachers]
    return spec.model_copy(update={"teachers": teachers})


def _data(run: Run) -> DatasetSpec:
    """Both campaigns' rows, by the ids of their jobs."""
    spec = DatasetSpec.load(_place(run) / "data.yaml").with_absolute_paths(_place(run))
    ids = {f"job:{name.upper()}": f"job:{run.jobs[name].id}" for name in CAMPAIGNS}
    sources = [source.model_copy(update={"path": ids.get(source.path or "", source.path)}) for source in spec.sources]
    return spec.model_copy(update={"sources": sources})


def _practice(run: Run) -> DatasetSpec:
    return DatasetSpec.load(_place(run) / "practice.yaml").with_absolute_paths(_place(run))


def _train(_run: Run) -> TrainSpec:
    return TrainSpec.load(FOLDER / "train.yaml")


def _pairs(run: Run) -> PairsSpec:
    spec = PairsSpec.load(FOLDER / "pairs.yaml")
    prompts = _in_proportion(run, spec.max_prompts)
    return spec.model_copy(update={"model": _trained(run, "sft"), "max_prompts": prompts})


def _dpo(run: Run) -> TrainSpec:
    return TrainSpec.load(FOLDER / "dpo.yaml").model_copy(update={"model": _trained(run, "sft")})


def _evaluate(run: Run) -> EvaluateSpec:
    models = ("embedded", _trained(run, "sft"), _trained(run, "dpo"))
    spec = EvaluateSpec.load(FOLDER / "evaluate.yaml")
    return spec.model_copy(update={"models": models, "max_items": _in_proportion(run, spec.max_items)})


def _in_proportion(run: Run, most: int | None) -> int:
    """Fewer for a demo of fewer rows, never more than the spec says; enough for a verdict."""
    return max(FEWEST, round((most or 0) * min(1.0, run.rows / ROWS)))


def _trained(run: Run, key: str) -> str:
    return f"job:{run.jobs[key].id}"


def _outcome(run: Run) -> Outcome:
    figures, evaluation = run.figures("evaluate"), run.jobs["evaluate"]
    verdicts = step_verdicts(evaluation.path, figures)
    lines = [
        "Campaigns",
        *(campaign_line(name, run.figures(name)) for name in CAMPAIGNS),
        f"  {run.figures('pairs')['pairs']} pairs of a right and a wrong answer of the model's own",
        "",
        *outcome_lines(verdicts, figures),
        "",
        "What to do next",
        f"  read the report       {evaluation.path / 'report.html'}",
        f"  for Ollama            python cli.py export {run.jobs['dpo'].id} --to gguf --quant q8_0,q4_k_m",
        f"  vLLM, transformers    python cli.py export {run.jobs['dpo'].id} --to vllm,transformers",
        "  a 14B model, 16 GB    python cli.py fit recipes/coder/large.yaml --gpu-gb 16",
    ]
    return Outcome(lines, {"steps": [asdict(verdict) for verdict in verdicts]})


RECIPE = Recipe(
    name="coder",
    title="A coder, from a campaign to preferences",
    about="Two campaigns of teachers, training, pairs of right and wrong programs, and DPO, each step compared.",
    rows=ROWS,
    size="Rows that both campaigns make together.",
    rows_name="Prompts, exercises and tests",
    write_rows=_write_rows,
    steps=(
        Step(
            "first", "First campaign", "data.synthesise", "Coder, first campaign", lambda run: _campaign(run, "first")
        ),
        Step(
            "second",
            "Second campaign",
            "data.synthesise",
            "Coder, second campaign",
            lambda run: _campaign(run, "second"),
        ),
        Step("data", "Dataset of both", "data.build", "coder", _data),
        Step("sft", "SFT", "train", "Coder, SFT", _train),
        Step("practice", "Exercises to practise on", "data.build", "coder-practice", _practice),
        Step("pairs", "Pairs, by the tests", "pairs", "Coder's right and wrong answers", _pairs),
        Step("dpo", "DPO", "train", "Coder, DPO", _dpo),
        Step("evaluate", "Base, SFT and DPO compared", "evaluate", "Coder: base, SFT, DPO", _evaluate),
    ),
    outcome=_outcome,
)
