"""A model is fetched whole, whatever the connection does; what isn't what the Hub says is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jobs.errors import BadInput, Missing, OutOfRoom, Stopped
from models.download import cached_snapshot, download_snapshot, download_tokenizer
from models.downloads import fetch
from models.downloads.cached import cached_models, folder_of
from models.downloads.fetch import Fetched, fetch_model
from models.downloads.files import open_repository
from models.downloads.transfer import FRUITLESS_ATTEMPTS, Patience
from tests.models.downloads.conftest import MODEL, WEIGHTS, small_model
from tests.models.downloads.fake_hub import BLOCK, COMMIT, FakeHub

QUICK = Patience(0.001, 0.001)
WANTED = {
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "model.safetensors.index.json",
    "README.md",
    *WEIGHTS,
}


@dataclass
class Watching:
    """Notes what it is told; stops once `stop_after` bytes came."""

    stop_after: int | None = None
    total: int = 0
    here: int = 0
    fetched: int = 0
    said: list[str] = field(default_factory=list)

    def expects(self, total: int, here: int) -> None:
        self.total, self.here = total, here

    def came(self, count: int) -> None:
        self.here += count
        self.fetched += max(0, count)

    def says(self, message: str) -> None:
        self.said.append(message)

    def check_stop(self) -> None:
        if self.stop_after is not None and self.fetched >= self.stop_after:
            raise Stopped


def fetched(watch: Watching | None = None) -> Fetched:
    return fetch_model(open_repository(MODEL), folder_of(MODEL), watch or Watching(), patience=QUICK)


def assert_whole(done: Fetched) -> None:
    files = small_model()
    assert {path.name for path in done.folder.iterdir()} == WANTED
    assert all((done.folder / name).read_bytes() == files[name] for name in WANTED)
    assert cached_snapshot(MODEL) == done.folder
    assert not list((folder_of(MODEL) / "blobs").glob("*.incomplete"))


def test_a_model_is_fetched_without_what_it_does_not_need(hub: FakeHub) -> None:
    watch = Watching()
    done = fetched(watch)
    assert_whole(done)
    assert done.commit == COMMIT
    assert watch.here == watch.total == done.size
    assert {each.path for each in hub.sent} == WANTED


def test_transformers_finds_it_where_the_hub_would_have_put_it(hub: FakeHub) -> None:
    done = fetched()
    from huggingface_hub import hf_hub_download

    hub.sent.clear()
    assert Path(hf_hub_download(MODEL, WEIGHTS[0])).parent == done.folder
    assert not hub.sent


def test_a_download_cut_ten_times_ends_whole_and_fetches_no_byte_twice(hub: FakeHub) -> None:
    hub.cuts, hub.cut_after = 10, BLOCK
    watch = Watching()
    assert_whole(fetched(watch))
    assert hub.cuts == 0
    assert hub.bytes_sent(WEIGHTS[0]) == 20 * BLOCK
    assert sum(message.startswith("Connection lost") for message in watch.said) == 10


def test_a_stopped_download_goes_on_where_it_was(hub: FakeHub) -> None:
    with pytest.raises(Stopped):
        fetched(Watching(stop_after=7 * BLOCK))
    (half,) = cached_models()
    assert not half.complete
    assert half.size >= 7 * BLOCK
    hub.sent.clear()
    watch = Watching()
    assert_whole(fetched(watch))
    assert hub.bytes_sent(WEIGHTS[0]) <= 13 * BLOCK
    assert hub.sent[0].start >= 7 * BLOCK
    assert not {each.path for each in hub.sent} - set(WEIGHTS)


def test_a_wrong_checksum_is_refused_and_nothing_of_it_is_used(hub: FakeHub) -> None:
    hub.damaged = {WEIGHTS[1]}
    with pytest.raises(BadInput, match="arrived damaged") as error:
        fetched()
    assert "Press Resume" in error.value.fix
    assert cached_snapshot(MODEL) is None
    hub.damaged = set()
    hub.sent.clear()
    assert_whole(fetched())
    assert [each.path for each in hub.sent] == [WEIGHTS[1]]


@pytest.mark.parametrize("name", ["config.json", WEIGHTS[0]])
def test_a_file_that_was_spoilt_on_the_disk_is_fetched_anew(hub: FakeHub, name: str) -> None:
    done = fetched()
    (done.folder / name).resolve().write_bytes(b"spoilt")
    hub.sent.clear()
    assert_whole(fetched())
    assert [each.path for each in hub.sent] == [name]


def test_a_server_that_ignores_ranges_costs_bytes_but_no_correctness(hub: FakeHub) -> None:
    hub.cuts, hub.cut_after, hub.ignores_ranges = 1, BLOCK, True
    watch = Watching()
    assert_whole(fetched(watch))
    assert hub.bytes_sent(WEIGHTS[0]) == 21 * BLOCK
    assert watch.here == watch.total


def test_a_busy_hub_is_asked_again(hub: FakeHub) -> None:
    hub.fails = 3
    assert_whole(fetched())


def test_a_connection_that_brings_nothing_ends_with_what_to_do(hub: FakeHub) -> None:
    hub.cuts, hub.cut_after = 100, 0
    with pytest.raises(Missing, match="broke off") as error:
        fetched()
    assert f"{FRUITLESS_ATTEMPTS} attempts brought nothing more" in error.value.why
    assert "press Resume" in error.value.fix


@pytest.mark.parametrize("token", [None, "hf_of_somebody_without_access"])
def test_a_gated_model_says_where_to_accept(hub: FakeHub, token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.gated = {MODEL}
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(Missing, match="is gated") as error:
        fetched()
    assert f"https://huggingface.co/{MODEL}" in error.value.fix
    assert ("Log in" in error.value.fix) is (token is None)
    assert "hf_of" not in str(error.value)


def test_the_token_opens_a_gated_model(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.gated, hub.tokens = {MODEL}, {"hf_good": "ada"}
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert_whole(fetched())


@pytest.mark.usefixtures("hub")
def test_an_unknown_model_says_so() -> None:
    with pytest.raises(Missing, match="knows no model 'someone/else'"):
        open_repository("someone/else")


def test_a_model_without_safetensors_is_refused_before_anything_large_is_fetched(hub: FakeHub) -> None:
    hub.models["someone/old"] = {"config.json": b"{}", "pytorch_model.bin": b"pickled"}
    with pytest.raises(BadInput, match="no weights that Hearth reads"):
        fetch_model(open_repository("someone/old"), folder_of("someone/old"), Watching(), patience=QUICK)
    assert [each.path for each in hub.sent] == ["config.json"]


def test_without_a_connection_what_is_here_is_offered(hub: FakeHub) -> None:
    fetched()
    hub.stop()
    assert download_snapshot(MODEL).name == COMMIT
    with pytest.raises(Missing, match="isn't on this machine") as error:
        download_snapshot("someone/else")
    assert MODEL in error.value.fix


def test_a_full_disk_is_told_before_the_weights(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SPARE_BYTES", 10**18)
    with pytest.raises(OutOfRoom, match="doesn't fit on the disk"):
        fetched()
    assert not {each.path for each in hub.sent} & set(WEIGHTS)


def test_a_training_that_needs_a_model_fetches_it_the_same_way(hub: FakeHub) -> None:
    assert download_tokenizer(MODEL).name == COMMIT
    assert not {each.path for each in hub.sent} & set(WEIGHTS)
    assert cached_snapshot(MODEL) is None
    folder = download_snapshot(MODEL)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "llama"
    assert cached_snapshot(MODEL) == folder
