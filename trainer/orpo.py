"""ORPO (Hong et al. 2024, https://arxiv.org/abs/2403.07691): learn the chosen answers and, in the same step, that they
are likelier than the rejected ones. No reference is needed.

TRL's own ORPOTrainer also learns the prompts and holds the logits of whole batches; this one takes its batches, its
log-probabilities and its metrics from TRL's DPOTrainer.
"""

from __future__ import annotations

from typing import Any


def orpo_loss(chosen: Any, rejected: Any, beta: float) -> tuple[Any, Any]:
    """The loss of each pair, and the log odds ratio, (pairs,) each.

    `chosen` and `rejected` are mean log-probabilities of the answers' tokens. The loss is the chosen answer's negative
    log-likelihood minus beta · log σ(log odds ratio): equations 6 and 7 of the paper.
    """
    import torch

    ratio = (chosen - rejected) - (_log_of_rest(chosen) - _log_of_rest(rejected))
    return -chosen - beta * torch.nn.functional.logsigmoid(ratio), ratio


def _log_of_rest(logps: Any) -> Any:
    """log(1 − p) of a log-probability, exact for p near 0 and near 1 (Mächler 2012)."""
    import torch

    # A mean of exactly 0 would be certainty, whose rest has no logarithm.
    below = logps.clamp(max=-1e-6)
    near_one = below > -0.6931
    return torch.where(near_one, torch.log(-torch.expm1(below)), torch.log1p(-torch.exp(below)))


def orpo_trainer() -> Any:
    """The trainer's class; TRL is imported here."""
    from trl import DPOTrainer

    class OddsRatioTrainer(DPOTrainer):  # type: ignore[misc]
        """DPOTrainer with another loss, and without a reference."""

        def _precompute_ref_logps(self, dataset: Any, *_: Any, **__: Any) -> Any:
            return dataset

        def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
            mask = inputs["completion_mask"]
            given = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"], "use_cache": False}
            logps, _, outputs = self._get_per_token_logps_and_entropies(model, given, inputs["input_ids"], mask)
            means = logps.sum(dim=1) / mask[:, 1:].sum(dim=1)
            chosen, rejected = means.chunk(2, dim=0)
            losses, ratio = orpo_loss(chosen, rejected, self.beta)
            self._note(self.beta * chosen.detach(), self.beta * rejected.detach(), ratio.detach())
            loss = losses.mean()
            return (loss, outputs) if return_outputs else loss

        def _note(self, chosen: Any, rejected: Any, ratio: Any) -> None:
            """Figures under the names that DPOTrainer uses."""
            figures = {
                "rewards/chosen": chosen,
                "rewards/rejected": rejected,
                "rewards/margins": chosen - rejected,
                "rewards/accuracies": (chosen > rejected).float(),
                "log_odds_ratio": ratio,
            }
            noted = self._metrics["train" if self.model.training else "eval"]
            for name, values in figures.items():
                noted[name].append(self.accelerator.gather_for_metrics(values).mean().item())

    return OddsRatioTrainer
