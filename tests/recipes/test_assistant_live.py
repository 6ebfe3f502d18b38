"""Simulated users of a server that runs: their chats are logged by it with who, how and what they thought."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datasets_src.interactions import InteractionFilter, Interactions, read_interactions
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from recipes.assistant.live import use_server
from recipes.assistant.people import ATTACKERS, HONEST
from recipes.assistant.questions import MODES, names_the_same, read_question
from tests.serving.running import Running, running

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def served(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A tiny model that knows nothing, whose chats are kept and scrubbed."""
    workspace = Workspace(tmp_path_factory.mktemp("served") / "workspace")
    with running(
        workspace, models=[f"assistant={tiny_model}"], precision="fp32", context_length=512, logging={"chats": True}
    ) as server:
        yield server


def test_no_server_and_a_model_that_it_does_not_have_are_told(served: Running) -> None:
    with pytest.raises(BadInput, match="status 404"):
        use_server(served.base_url, HONEST, sheets=1, model="nobody")
    with pytest.raises(Missing, match="No server answers"):
        use_server("http://127.0.0.1:9/v1", ATTACKERS, sheets=1)


def test_people_who_know_better_correct_a_model_that_knows_nothing(served: Running) -> None:
    feedback = use_server(served.base_url, HONEST, sheets=60)
    assert feedback.answers == 60 and feedback.down > 40 and feedback.corrected > 30
    served.stop()
    logged = list(Interactions(served.workspace).find())
    assert len(logged) == 60
    assert {each.reasoning_mode for each in logged} == set(MODES)
    assert {each.tag for each in logged} == {"shop", "household"}
    assert len({each.conversation for each in logged}) == 60 and len({each.user for each in logged}) == 40
    assert sum(each.edit is not None for each in logged) == feedback.corrected
    text = "".join(str(each.prompt) for each in logged)
    assert "@sheet-users.org" not in text and "+44 1632" not in text and "[" in text, "scrubbed before it was kept"
    rows = [row.values for row in read_interactions(served.workspace, InteractionFilter(min_rating=4))]
    right = [names_the_same(row["completion"][0]["content"], read_question(row["prompt"]).right()) for row in rows]
    assert sum(right) / len(right) > 0.9
