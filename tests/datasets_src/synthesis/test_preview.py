"""What is shown before a synthesis is started: an estimate that asks nothing, and a sample that makes no job."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets_src.synthesis.preview import estimate, sample
from datasets_src.synthesis.spec import SynthesisSpec
from jobs.errors import Missing
from tests.datasets_src.synthesis.conftest import MakeSpec, Synthesis, well_behaved
from tests.models.endpoints.fake_chat_server import FakeChatServer, Reply


def test_an_estimate_counts_the_calls_and_asks_nothing(make_spec: MakeSpec, server: FakeChatServer) -> None:
    found = estimate(SynthesisSpec.parse(make_spec()), Path("/"))
    assert found.calls == 3
    assert found.cost == pytest.approx((found.tokens_in * 1.0 + found.tokens_out * 2.0) / 1e6)
    judged = estimate(SynthesisSpec.parse(make_spec(judge={"rubric": "Good."})), Path("/"))
    assert judged.calls == 9
    assert judged.cost is not None
    assert found.cost is not None
    assert judged.cost > found.cost
    unpriced = estimate(SynthesisSpec.parse(make_spec({"price_in": None})), Path("/"))
    assert unpriced.cost is None
    assert "not known" in str(unpriced)
    assert server.asked == []


def test_the_calls_foretold_are_those_that_are_made_when_all_goes_well(
    make_spec: MakeSpec, synthesise: Synthesis
) -> None:
    options = {"domains": [{"name": "one", "count": 7, "description": "One."}, {"name": "all"}]}
    foretold = estimate(SynthesisSpec.parse(make_spec(**options)), Path("/"))
    assert synthesise(make_spec(**options)).figures["answers"] == foretold.calls == 4 + 12


def test_a_sample_has_rows_of_every_domain_and_leaves_no_job(
    make_spec: MakeSpec, server: FakeChatServer, tmp_path: Path
) -> None:
    domains = [{"name": name, "count": 100, "description": f"All about {name}."} for name in ("law", "art")]
    server.behave = well_behaved
    found = sample(SynthesisSpec.parse(make_spec(domains=domains)), 3, tmp_path)
    assert sorted(row["tag"] for row in found.rows) == ["art", "law", "law"]
    assert found.figures["answers"] == len(server.asked) == 2
    assert not list(tmp_path.glob("**/jobs"))


def test_a_sample_that_gets_no_row_says_why(make_spec: MakeSpec, server: FakeChatServer, tmp_path: Path) -> None:
    server.behave = lambda _: Reply(status=500)
    with pytest.raises(Missing, match="server error"):
        sample(SynthesisSpec.parse(make_spec(retries=0)), 2, tmp_path)
