"""What a finished run leaves behind: adapter/ or model/ with all that is needed to use it elsewhere, and figures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from jobs.context import JobContext
from jobs.files import publish_folder, write_json, write_text
from models.base_template import keep_template
from models.chat_template import ChatTokenizer
from models.folder import TOKENIZER_FILES
from models.reference import ResolvedModel
from trainer import together
from trainer.checkpoints import best_step, is_intact, result_weights
from trainer.plan import Plan
from trainer.reporting import memory_gb
from trainer.rows import HELD_OUT
from trainer.spec import TrainSpec


def save_result(context: JobContext, trainer: Any, base: ResolvedModel, spec: TrainSpec) -> None:
    """Write adapter/ (or model/ when all weights were trained) with everything needed to use it elsewhere.

    All processes of a run have to call it; the first writes.
    """
    context.progress(1.0, "Saving the result")
    # With FSDP every process holds a part of the weights.
    whole = {"state_dict": trainer.accelerator.get_state_dict(trainer.model)} if trainer.is_fsdp_enabled else {}
    if not together.is_first():
        return
    name = "model" if spec.method.adapter == "none" else "adapter"
    temporary = context.path / f".{name}.part"
    shutil.rmtree(temporary, ignore_errors=True)
    only = {"selected_adapters": ["default"]} if name == "adapter" else {}
    unwrapped = trainer.accelerator.unwrap_model(trainer.model)
    unwrapped.save_pretrained(temporary, safe_serialization=True, **only, **whole)
    _take_best(context, trainer.state, spec, temporary)
    for file in TOKENIZER_FILES:
        if (base.folder / file).exists():
            shutil.copy2(base.folder / file, temporary / file)
    if spec.method.objective != "continued":
        keep_template(temporary, ChatTokenizer.load(base.folder))
    if name == "adapter":
        _name_base(temporary, base.folder)
    write_json(
        temporary / "hearth.json",
        {"base": base_text(context, spec), "base_name": base.name, "data": spec.data, "job": context.path.name},
    )
    write_text(temporary / "README.md", _card(base, spec, name))
    publish_folder(temporary, context.path / name)
    context.artifact(context.path / name)


def base_text(context: JobContext, spec: TrainSpec) -> str:
    """How the base is named: of a run that goes on from an adapter, as that adapter's own base is."""
    known = (context.directory.resolved or {}).get("base")
    return str(known["value"]["text"]) if known else spec.model


def _take_best(context: JobContext, state: Any, spec: TrainSpec, folder: Path) -> None:
    """Where the best weights are wanted, put those of the best checkpoint in place of the last ones."""
    best = best_step(state)
    if spec.saving.result != "best" or best is None or best == state.global_step:
        return
    checkpoint = context.path / "checkpoints" / f"checkpoint-{best}"
    if not is_intact(checkpoint):
        context.log(f"The checkpoint of step {best}, the best, is damaged or gone: the result holds the last weights.")
        return
    for old in result_weights(folder):
        old.unlink()
    for file in result_weights(checkpoint):
        shutil.copy2(file, folder / file.name)
    context.log(f"The result holds the weights of step {best}, whose held-out loss was lowest.")


def _name_base(adapter: Path, base: Path) -> None:
    """Backends differ in what they note as the base; plain PEFT needs a place it can load from."""
    path = adapter / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, {**config, "base_model_name_or_path": str(base)})


def _card(base: ResolvedModel, spec: TrainSpec, name: str) -> str:
    use = (
        'model = AutoPeftModelForCausalLM.from_pretrained("adapter")'
        if name == "adapter"
        else 'model = AutoModelForCausalLM.from_pretrained("model")'
    )
    library = "peft" if name == "adapter" else "transformers"
    return (
        f"---\nlibrary_name: {library}\ntags: [hearth]\n---\n\n# {spec.title}\n\n"
        f"Fine-tuned with Hearth from {base.name} on the dataset `{spec.data}`.\n\n```python\n"
        f"from {library} import {use.split(' = ')[1].split('.')[0]}\n{use}\n```\n\n"
        f"## Settings\n\n```yaml\n{spec.to_yaml()}```\n"
    )


def figures(trainer: Any, seconds: float, plan: Plan, computed: tuple[int, int]) -> dict[str, Any]:
    """The figures of the manifest. `computed`: the rows' own tokens, and those that were computed with."""
    history = trainer.state.log_history
    losses = [entry["loss"] for entry in history if "loss" in entry]
    held_out = [entry[f"eval_{HELD_OUT}_loss"] for entry in history if f"eval_{HELD_OUT}_loss" in entry]
    recent = losses[-max(1, len(losses) // 10) :]
    tokens, all_tokens = computed
    return {
        "steps": trainer.state.global_step,
        "first_loss": losses[0] if losses else None,
        "final_loss": sum(recent) / len(recent) if recent else None,
        "eval_loss": held_out[-1] if held_out else None,
        "best_eval_loss": trainer.state.best_metric,
        "best_step": best_step(trainer.state),
        "training_seconds": round(seconds, 1),
        "tokens_per_second": round(tokens / seconds, 1) if seconds else None,
        "real_token_share": round(tokens / all_tokens, 4) if all_tokens else None,
        "backend": plan.backend,
        **_preference_figures(history),
        **{name: round(value, 2) for name, value in memory_gb().items()},
    }


def _preference_figures(history: list[dict[str, float]]) -> dict[str, float]:
    """How far chosen answers are ahead of rejected ones on held-out pairs, as measured last."""
    keys = (f"eval_{HELD_OUT}_rewards/margins", "eval_rewards/margins")
    margins = [entry[key] for entry in history for key in keys if key in entry]
    return {"eval_rewards_margin": margins[-1]} if margins else {}
