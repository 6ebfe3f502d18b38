"""The client against a server: the real one where OLLAMA_HOST names it, else the fake; misbehaviour is the fake's."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from export.ollama.blobs import file_digest, remembered_digest
from export.ollama.client import ModelParts, OllamaClient
from jobs.errors import BadInput, Missing, OutOfRoom, Stopped
from tests.export.ollama.conftest import LEARNED, PARTS, QUESTION, create
from tests.export.ollama.fake_server import FakeOllama

ASKED = [{"role": "user", "content": QUESTION}]
NewName = Callable[[], str]


def answer(client: OllamaClient, name: str) -> str:
    return "".join(piece.text for piece in client.chat(name, ASKED, num_predict=16, temperature=0))


# Any server


def test_a_model_is_created_listed_described_asked_and_deleted(
    anywhere: OllamaClient, new_name: NewName, taught_gguf: Path
) -> None:
    name = new_name()
    assert not anywhere.exists(name)
    parts = ModelParts(system="Be brief.", parameters=PARTS.parameters, license="MIT")
    statuses = create(anywhere, name, taught_gguf, parts)
    assert statuses[-1] == "success"
    assert anywhere.exists(name.upper())
    listed = next(model for model in anywhere.models() if model.name == f"{name}:latest")
    assert (listed.family, listed.quantisation) == ("llama", "F16")
    assert abs(listed.bytes - taught_gguf.stat().st_size) < 10_000
    described = anywhere.show(name)
    assert described.system == "Be brief."
    assert described.made_of(file_digest(taught_gguf))
    anywhere.delete(name)
    assert not anywhere.exists(name)
    with pytest.raises(Missing, match="has no model"):
        anywhere.show(name)
    with pytest.raises(Missing, match="has no model"):
        anywhere.delete(name)
    with pytest.raises(Missing, match="has no model"):
        answer(anywhere, name)


def test_it_answers_what_it_learned_piece_by_piece(
    anywhere: OllamaClient, new_name: NewName, taught_gguf: Path
) -> None:
    name = new_name()
    create(anywhere, name, taught_gguf)
    pieces = list(anywhere.chat(name, ASKED, num_predict=16, temperature=0))
    assert "".join(piece.text for piece in pieces) == LEARNED
    assert (pieces[-1].finish_reason, pieces[0].finish_reason) == ("stop", None)
    assert pieces[-1].tokens_in and pieces[-1].tokens_out


def test_what_is_loaded_can_be_unloaded(anywhere: OllamaClient, new_name: NewName, taught_gguf: Path) -> None:
    name = new_name()
    create(anywhere, name, taught_gguf)
    answer(anywhere, name)
    assert f"{name}:latest" in [model.name for model in anywhere.loaded()]
    anywhere.unload(name)
    assert f"{name}:latest" not in [model.name for model in anywhere.loaded()]


def test_everything_in_memory_can_be_unloaded_at_once(client: OllamaClient, taught_gguf: Path) -> None:
    for name in ("a", "b"):
        create(client, name, taught_gguf)
        answer(client, name)
    assert [model.name for model in client.unload_all()] == ["a:latest", "b:latest"]
    assert client.loaded() == [] == client.unload_all()


def test_the_servers_own_rendering_is_told_where_it_knows_how(
    anywhere: OllamaClient, new_name: NewName, taught_gguf: Path
) -> None:
    name = new_name()
    create(anywhere, name, taught_gguf)
    rendered = anywhere.render(name, ASKED)
    assert rendered is None or rendered.endswith(f"user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n")


def test_a_model_that_exists_is_not_overwritten_without_asking(
    anywhere: OllamaClient, new_name: NewName, taught_gguf: Path
) -> None:
    name, other = new_name(), new_name()
    create(anywhere, name, taught_gguf)
    for taken in (name, f"{name}:latest", name.upper()):
        with pytest.raises(BadInput, match="already has a model"):
            create(anywhere, taken, taught_gguf, ModelParts(system="Mine now."))
    assert anywhere.show(name).system == ""
    create(anywhere, name, taught_gguf, ModelParts(system="Mine now."), replace=True)
    assert anywhere.show(name).system == "Mine now."
    anywhere.copy(name, other)
    assert anywhere.show(other).system == "Mine now."
    with pytest.raises(BadInput, match="already has a model"):
        anywhere.copy(name, other)


def test_a_file_that_the_server_has_is_not_sent_again(anywhere: OllamaClient, taught_gguf: Path) -> None:
    digest = file_digest(taught_gguf)
    anywhere.upload(taught_gguf, digest)
    told: list[tuple[int, int]] = []
    assert anywhere.upload(taught_gguf, digest, lambda *done: told.append(done)).sent == 0
    assert told == [(taught_gguf.stat().st_size,) * 2]


def test_bad_names_wrong_digests_and_bad_templates_each_have_their_message(
    anywhere: OllamaClient, new_name: NewName, taught_gguf: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="can't be the name"):
        create(anywhere, "bad name!", taught_gguf)
    text = tmp_path / "hello.gguf"
    text.write_bytes(b"hello, this is no GGUF: " + new_name().encode())
    with pytest.raises(BadInput, match="not the file that was announced"):
        anywhere.upload(text, "sha256:" + "0" * 64)
    with pytest.raises(BadInput, match="can't read the file"):
        create(anywhere, new_name(), text)
    with pytest.raises(Missing, match="doesn't have the file"):
        list(anywhere.create(new_name(), {"m.gguf": "sha256:" + "0" * 64}, PARTS))
    with pytest.raises(Missing, match="doesn't have the file"):
        anywhere.has_blob("sha256:abc")
    with pytest.raises(BadInput, match="refuses the TEMPLATE"):
        create(anywhere, new_name(), taught_gguf, ModelParts(template="{{ .Foo"))


def test_pushing_wants_an_account_and_a_confirmation(anywhere: OllamaClient) -> None:
    with pytest.raises(BadInput, match="your-account/snake"):
        anywhere.push("snake", confirmed=True)
    with pytest.raises(BadInput, match="was not pushed"):
        anywhere.push("me/snake", confirmed=False)


# The fake alone


def test_an_error_in_mid_stream_is_raised_though_the_status_was_200(
    fake: FakeOllama, client: OllamaClient, taught_gguf: Path
) -> None:
    fake.does.refuse_create = "write layer: no space left on device"
    seen: list[str] = []
    digest = file_digest(taught_gguf)
    client.upload(taught_gguf, digest)
    with pytest.raises(OutOfRoom, match="no room left"):
        for status in client.create("t", {"m.gguf": digest}, PARTS):
            seen.append(status)
    assert seen == ["parsing GGUF", "verifying conversion"]
    assert not client.exists("t")


def test_a_server_gone_in_the_middle_is_told_wherever_it_happens(
    fake: FakeOllama, client: OllamaClient, taught_gguf: Path
) -> None:
    digest = file_digest(taught_gguf)
    fake.does.drop_upload_at = 1
    with pytest.raises(Missing, match="lost in the middle"):
        client.upload(taught_gguf, digest)
    assert not client.has_blob(digest)
    fake.does.drop_upload_at, fake.does.drop_create = None, True
    with pytest.raises(Missing, match="lost in the middle"):
        create(client, "t", taught_gguf)
    fake.does.drop_create = False
    create(client, "t", taught_gguf)
    fake.does.drop_chat = True
    with pytest.raises(Missing, match="lost in the middle"):
        answer(client, "t")
    fake.does.drop_chat, fake.does.error_in_chat = False, "llama runner process has terminated: signal: killed"
    with pytest.raises(BadInput, match="can't run 't'"):
        answer(client, "t")


def test_a_full_disk_of_the_server_is_told_in_mid_upload(
    fake: FakeOllama, client: OllamaClient, taught_gguf: Path
) -> None:
    fake.does.no_space = True
    with pytest.raises(OutOfRoom, match="no room left on its disk"):
        client.upload(taught_gguf, file_digest(taught_gguf))


def test_an_upload_can_be_called_off(fake: FakeOllama, client: OllamaClient, taught_gguf: Path) -> None:
    def stop_soon(done: int, _total: int) -> None:
        if done:
            raise Stopped

    digest = file_digest(taught_gguf)
    with pytest.raises(Stopped):
        client.upload(taught_gguf, digest, stop_soon)
    assert not client.has_blob(digest)
    assert fake.received[0] < taught_gguf.stat().st_size


def test_progress_counts_every_byte(client: OllamaClient, taught_gguf: Path) -> None:
    told: list[int] = []
    client.upload(taught_gguf, file_digest(taught_gguf), lambda done, _total: told.append(done))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, taught_gguf.stat().st_size)
    assert len(told) > 3


def test_a_digest_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    file, note, read = tmp_path / "a.gguf", tmp_path / "digest.json", []
    file.write_bytes(b"GGUF one")
    first = remembered_digest(file, note, lambda done, _total: read.append(done))
    assert remembered_digest(file, note, lambda done, _total: read.append(done)) == first
    assert read == [8]
    file.write_bytes(b"GGUF other")
    assert remembered_digest(file, note) == file_digest(file) != first


@pytest.mark.parametrize("version", ["0.5.4", "0.1.30", "v0.5.4-rc1"])
def test_a_server_that_is_too_old_is_told_before_anything_is_sent(
    fake: FakeOllama, client: OllamaClient, version: str
) -> None:
    fake.does.version = version
    with pytest.raises(Missing, match=f"too old: version {version}"):
        client.require_recent()


@pytest.mark.parametrize("version", ["0.5.5", "0.12.3-rc1", "1.0.0", "0.0.0"])
def test_a_newer_server_will_do_and_so_will_one_built_by_oneself(
    fake: FakeOllama, client: OllamaClient, version: str
) -> None:
    fake.does.version = version
    assert client.require_recent() == version


def test_a_server_that_tells_no_rendering_is_asked_for_one_token_only(
    fake: FakeOllama, client: OllamaClient, taught_gguf: Path
) -> None:
    create(client, "t", taught_gguf)
    fake.does.knows_rendering = False
    assert client.render("t", ASKED) is None
    assert fake.bodies[-1]["options"] == {"num_predict": 1}


def test_nothing_at_the_address_or_something_else_is_told_apart(fake: FakeOllama, client: OllamaClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{free.getsockname()[1]}"
    with OllamaClient(nobody) as other:
        for ask in (other.version, other.models, other.loaded, lambda: other.has_blob("sha256:" + "0" * 64)):
            with pytest.raises(Missing, match="No Ollama server answers at http://127"):
                ask()
        with pytest.raises(Missing, match="No Ollama server"):
            answer(other, "t")
    fake.does.not_ollama = True
    for ask in (client.version, client.models, client.loaded):
        with pytest.raises(BadInput, match="is not an Ollama server"):
            ask()


def test_a_push_shows_its_bytes_and_says_why_it_fails(
    fake: FakeOllama, client: OllamaClient, taught_gguf: Path
) -> None:
    create(client, "me/t", taught_gguf)
    with pytest.raises(Missing, match="can't reach the model registry"):
        list(client.push("me/t", confirmed=True))
    assert fake.pushed == []
    fake.does.registry = True
    lines = list(client.push("me/t", confirmed=True))
    assert lines[-1].status == "success"
    assert max(line.done or 0 for line in lines) == taught_gguf.stat().st_size
    assert fake.pushed == ["me/t:latest"]


def test_messages_keep_empty_turns_and_tool_calls_become_objects(
    fake: FakeOllama, client: OllamaClient, taught_gguf: Path
) -> None:
    create(client, "t", taught_gguf)
    call = {"type": "function", "function": {"name": "weather", "arguments": '{"town": "Paris"}'}}
    messages = [
        {"role": "user", "content": ""},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "name": "weather", "content": "rain"},
    ]
    client.render("t", messages)
    assert fake.bodies[-1]["messages"] == [
        {"role": "user", "content": ""},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "weather", "arguments": {"town": "Paris"}}}],
        },
        {"role": "tool", "content": "rain", "tool_name": "weather"},
    ]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Sets OLLAMA_HOST; gives the address that a client then asks."""

    def address(given: str) -> str:
        monkeypatch.setenv("OLLAMA_HOST", given)
        with OllamaClient() as client:
            return client.address

    yield address


def test_the_address_is_read_from_ollama_host_as_the_command_reads_it(host: Callable[[str], str]) -> None:
    assert host("") == "http://127.0.0.1:11434"
    assert host("example.com") == "http://example.com:11434"
    assert host(":5000") == "http://127.0.0.1:5000"
    assert host("0.0.0.0:5000") == "http://127.0.0.1:5000"
    assert host("https://example.com") == "https://example.com:443"
    assert host('"http://example.com/ollama/"') == "http://example.com:80/ollama"
    assert host("[::1]:5000") == "http://[::1]:5000"
    with OllamaClient("elsewhere:1") as client:
        assert client.address == "http://elsewhere:1"


@pytest.mark.parametrize("given", ["host:port", "ftp://host", "http://me:secret@host", "http://host?key=secret"])
def test_an_address_that_cannot_be_one_is_refused_without_repeating_a_password(given: str) -> None:
    with pytest.raises(BadInput, match="can't be used") as caught:
        OllamaClient(given)
    assert "secret" not in str(caught.value)
