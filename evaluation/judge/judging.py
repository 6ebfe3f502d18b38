"""A judge at work in a job: asked about votes and answers alike, and held against the votes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from datasets_src.interactions import Interactions
from evaluation.judge.agreement import measure_agreement
from evaluation.judge.asking import Asker, open_asker, ticker
from evaluation.judge.pairwise import Judged, Pair, judged, read_score, requests_of, score_request
from evaluation.judge.prompts import reply_shape
from evaluation.judge.replies import Manner, Replies, Request
from evaluation.judge.spec import JudgeSpec
from evaluation.judge.trust import Trust, trust_in
from evaluation.store import prompt_text
from jobs.context import JobContext

LABEL_OF_VOTE = {"a": "a", "b": "b", "tie": "tie", "bad": "tie"}


class Judge:
    """A judge ready to be asked; every reply goes to a file of the job before it counts."""

    def __init__(self, spec: JudgeSpec, asker: Asker, replies: Replies, context: JobContext) -> None:
        self.spec = spec
        self._asker = asker
        self._replies = replies
        self._context = context

    def judge(self, pairs: Sequence[Pair], what: str) -> list[Judged]:
        """What it makes of each pair, in order. Raises Stopped when the user asked for it, Missing or BadInput."""
        self._ask([request for pair in pairs for request in requests_of(self.spec, pair)], what)
        return [judged(self.spec, pair, self._replies) for pair in pairs]

    def score(self, answers: Sequence[tuple[str, str, str]], what: str) -> list[dict[str, float] | str]:
        """Scores by criterion of (question, answer, reference), or what is wrong with the reply. Raises as `judge`."""
        requests = [score_request(self.spec, *each) for each in answers]
        self._ask(requests, what)
        return [read_score(self.spec, self._replies[request.key]) for request in requests]

    def _ask(self, requests: Sequence[Request], what: str) -> None:
        unique = list({request.key: request for request in requests}.values())
        if unique:
            tick = ticker(self._context, unique, self._replies, f"judging {what}")
            tick()
            self._asker.ask(unique, self._replies, tick)


@contextmanager
def open_judge(spec: JudgeSpec, context: JobContext, file: Path) -> Iterator[Judge]:
    """The judge, loaded or connected to until the block ends. Whatever else was loaded has to be gone by then."""
    manner = Manner(
        model=spec.model,
        max_tokens=spec.max_tokens,
        temperature=spec.temperature,
        seed=spec.seed,
        schema=reply_shape(spec) if spec.structured else None,
        key_variable=spec.key_variable,
        concurrency=spec.concurrency,
        context_length=spec.context_length,
        batch_size=spec.batch_size,
        precision=spec.precision,
        quantisation=spec.quantisation,
    )
    context.progress(None, f"opening the judge {spec.model}")
    with open_asker(manner, context.workspace) as asker:
        yield Judge(spec, asker, Replies(file), context)


class Votes:
    """People's votes as pairs for the judge, with the label that the people gave. Equal answers tell nothing.

    A resumed job sees the votes that there were when it began.
    """

    def __init__(self, context: JobContext, spec: JudgeSpec) -> None:
        found = list(Interactions(context.workspace).find_votes())
        last = context.resolve("last_vote", max((vote.id for vote in found), default=0), "when the job began")
        votes = [vote for vote in found if vote.id <= last and vote.answer_a.strip() != vote.answer_b.strip()]
        if len(votes) > spec.max_votes:
            drawn = sorted(random.Random(spec.seed).sample(range(len(votes)), spec.max_votes))
            votes = [votes[index] for index in drawn]
        self.labels = [LABEL_OF_VOTE[vote.preferred] for vote in votes]
        self.pairs = [
            Pair(question, vote.answer_a, vote.answer_b, vote.conversation or question)
            for vote in votes
            for question in (prompt_text(vote.prompt),)
        ]

    def __len__(self) -> int:
        return len(self.pairs)


def trust_from(spec: JudgeSpec, votes: Votes, of_votes: Sequence[Judged], others: Sequence[Judged] = ()) -> Trust:
    """What the judge's labels of votes, and of the pairs judged besides, say about it."""
    labels = [each.label for each in of_votes]
    agreement = measure_agreement(labels, votes.labels, [pair.group for pair in votes.pairs], spec.seed)
    return trust_in(spec, [*of_votes, *others], agreement)
