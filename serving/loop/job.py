"""The job of kind "loop": one round of a plan, from rated chats to a new version that is promoted, waits, or is not.

    round.json    where it stands: what it compares with, its steps' jobs, the decision
    rows.jsonl    the chosen chats; removed once a dataset was built of them
    answer.json   a person's approval or refusal, written later (rounds.py)

Every step is a job of its own, so a round that was stopped or killed goes on with the step it was at.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from jobs.children import Step, run_step
from jobs.context import JobContext
from models.hardware import probe
from serving.loop.chats import choose, require_chats, write_chats
from serving.loop.decide import Decision, Finding, Findings, decide, outcome_after
from serving.loop.memory import Memory
from serving.loop.plan import (
    GENERAL,
    NEW,
    REGRESSION,
    all_rows_step,
    evaluate_steps,
    new_rows_step,
    require_runnable,
    train_step,
)
from serving.loop.spec import LoopSpec
from serving.loop.state import Reference, RoundState
from serving.registry import Registry
from serving.registry.records import LONGEST_TEXT

ROWS = "rows.jsonl"
ABOUT = {NEW: "the new chats", REGRESSION: "the regression set", GENERAL: "general abilities"}


def run(context: JobContext) -> dict[str, Any]:
    """Leaves round.json; returns what was chosen, made, found and decided, for the manifest."""
    spec = LoopSpec.parse(context.spec, where="the plan")
    state = RoundState(context.path)
    reference = _reference(context, state, spec)
    _choose(context, state, spec)
    new_rows = _build_new(context, state, spec)
    data = _build_all(context, state, spec, new_rows, reference)
    trained = _step(context, state, train_step(spec, data, reference), 0.15)
    context.resolve("data", data, "built in this round")
    candidate = f"job:{state.child('train')}"
    findings = _evaluate(context, state, spec, new_rows, reference)
    version = _register(context, state, spec, candidate)
    decision = _decide(context, state, spec, findings, version)
    return {
        "message": decision["sentence"],
        "plan": spec.name,
        "model": spec.model,
        "against": reference.label,
        "version": f"{spec.model}@{version}",
        **decision,
        "chosen": state.known.chosen,
        "new_rows": new_rows,
        "data": data,
        "final_loss": trained.get("final_loss"),
        "findings": {key: asdict(finding) for key, finding in findings.__dict__.items()},
        "jobs": state.known.children,
    }


def _step(context: JobContext, state: RoundState, step: Step, fraction: float) -> dict[str, Any]:
    return run_step(context, state, step, probe(context.workspace.root).resource, fraction)


def _reference(context: JobContext, state: RoundState, spec: LoopSpec) -> Reference:
    """Production as it was when the round began: a resumed round compares with the same."""
    if state.known.reference is None:
        state.note(reference=require_runnable(spec, context.workspace))
    assert state.known.reference is not None
    context.resolve("against", state.known.reference.label, "in production when the round began")
    context.log(f"Compared with {state.known.reference.label} ({state.known.reference.ref}).")
    return state.known.reference


def _choose(context: JobContext, state: RoundState, spec: LoopSpec) -> None:
    """Write the chats down as rows, and note that this round uses them."""
    if state.known.chosen is not None:
        return
    context.progress(0.02, "Choosing chats")
    chosen = choose(context.workspace, spec, context.directory.id)
    require_chats(spec, chosen)
    written = write_chats(context.workspace, spec, chosen, context.path / ROWS)
    Memory(context.workspace).use(spec.name, context.directory.id, [(chat.id, chat.time) for chat in chosen.chats])
    context.log(f"Learning from {chosen.sentence}.")
    figures = {
        "rows": written,
        "new": chosen.new,
        "users": chosen.users,
        "left_out_over_share": chosen.over_share,
        "heaviest_share": round(chosen.heaviest_share, 4),
        "sentence": chosen.sentence,
    }
    state.note(chosen=figures)


def _build_new(context: JobContext, state: RoundState, spec: LoopSpec) -> str:
    """The dataset of the chats alone, as name@version. What people said is then not kept a second time."""
    figures = _step(context, state, new_rows_step(spec, context.directory.id), 0.05)
    (context.path / ROWS).unlink(missing_ok=True)
    return str(figures["dataset"])


def _build_all(context: JobContext, state: RoundState, spec: LoopSpec, new_rows: str, reference: Reference) -> str:
    """What is trained on: the chats with what production was trained on, as name@version."""
    step = all_rows_step(spec, new_rows, reference)
    if step is None:
        context.log("Nothing is replayed: the new chats are all that is trained on.")
        return new_rows
    return str(_step(context, state, step, 0.1)["dataset"])


def _evaluate(context: JobContext, state: RoundState, spec: LoopSpec, new_rows: str, reference: Reference) -> Findings:
    """The three comparisons, one after the other."""
    steps = evaluate_steps(spec, new_rows, reference, f"job:{state.child('train')}")
    found: dict[str, Finding] = {}
    for place, step in enumerate(steps):
        figures = _step(context, state, step, 0.6 + 0.12 * place)
        found[step.key] = Finding.of(ABOUT[step.key], figures)
        context.log(f"{spec.model} round against production: {found[step.key].told}")
    return Findings(found[NEW], found[REGRESSION], found[GENERAL])


def _register(context: JobContext, state: RoundState, spec: LoopSpec, candidate: str) -> int:
    """The number of the new version, a candidate at first. One that a killed attempt registered is found again."""
    if state.known.version is None:
        registry = Registry(context.workspace)
        known = [version for version in registry.find(name=spec.model) if version.ref == candidate]
        version = known[0] if known else registry.register(spec.model, candidate, tags=["loop", spec.name[:40]])
        state.note(version=version.number)
    assert state.known.version is not None
    return state.known.version


def _decide(context: JobContext, state: RoundState, spec: LoopSpec, findings: Findings, version: int) -> dict[str, Any]:
    """The outcome and its sentence, carried out: promoted, or the version left as a candidate or retired."""
    decision = decide(findings, spec.accept)
    outcome = outcome_after(spec, decision)
    registry = Registry(context.workspace)
    reference = state.known.reference
    assert reference is not None
    if outcome == "promoted" and not _promote(registry, spec, decision, version, reference):
        outcome = "waiting"
        decision = Decision(
            decision.result,
            f"Not promoted by itself: {reference.label} was replaced while the round ran. {decision.sentence}",
        )
    if decision.result == "worse" and registry.get(spec.model, version).stage == "candidate":
        registry.retire(spec.model, version, _short(decision.sentence))
    settled = "again" if decision.result == "unproven" else "taken"
    Memory(context.workspace).settle(spec.name, context.directory.id, settled)  # type: ignore[arg-type]
    values = {"outcome": outcome, "sentence": decision.sentence}
    state.note(decision=values)
    context.log(decision.sentence)
    return values


def _promote(registry: Registry, spec: LoopSpec, decision: Decision, version: int, reference: Reference) -> bool:
    """Whether the version is in production now; not where another one took the place of what it was compared with."""
    now = registry.resolve(spec.model).number
    if now == version:
        return True  # a killed attempt had promoted it
    if now != reference.number:
        return False
    registry.promote(spec.model, version, _short(decision.sentence))
    return True


def _short(sentence: str) -> str:
    return sentence[:LONGEST_TEXT]
