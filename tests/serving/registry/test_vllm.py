"""The launch for vLLM: what is written, and what is refused with the reason."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.errors import BadInput
from jobs.files import read_json, write_json
from models.embedded import HUB_ID
from models.reference import ModelRef
from serving.registry import Registry
from serving.registry.vllm import vllm_launch
from tests.serving.registry.conftest import MakeAdapter


@pytest.fixture
def two(registry: Registry, adapter: MakeAdapter) -> Registry:
    """short@1 (rank 8) and long@1 (rank 24)."""
    for name, rank in (("short", 8), ("long", 24)):
        registry.register(name, f"adapter:{adapter(name, r=rank)}")
    return registry


def test_a_launch_holds_adapters_command_compose_file_and_endpoints(two: Registry, tmp_path: Path, base: Path) -> None:
    launch = vllm_launch(two, ["short@1", "registry:long@1"], tmp_path / "launch", host="gpu.example", port=9000)
    assert f"vllm serve {base} --enable-lora" in launch.command
    assert "--lora-modules short@1=adapters/short-1 long@1=adapters/long-1" in launch.command
    assert "--max-lora-rank 32" in launch.command, "24 isn't in vLLM's list"
    for place, name in (("short-1", "short"), ("long-1", "long")):
        weights = launch.folder / "adapters" / place / "adapter_model.safetensors"
        assert weights.read_text() == f"weights of {name}"
    assert [ModelRef.parse(line).short for line in launch.endpoints] == ["short@1", "long@1"]
    assert (launch.folder / "endpoints.txt").read_text().splitlines() == list(launch.endpoints)
    service = yaml.safe_load((launch.folder / "docker-compose.yaml").read_text())["services"]["vllm"]
    assert service["command"][0] == "/base"
    assert service["volumes"][-1]["source"] == str(base)
    assert service["ports"] == ["${BIND:-127.0.0.1}:9000:8000"]


def test_the_script_is_sound_and_never_binds_wide_without_a_key(two: Registry, tmp_path: Path) -> None:
    launch = vllm_launch(two, ["short@1"], tmp_path / "with space")
    fake_vllm = tmp_path / "bin" / "vllm"
    fake_vllm.parent.mkdir()
    fake_vllm.write_text('#!/bin/sh\nprintf "%s\\n" "$PWD" "$@"\n')
    fake_vllm.chmod(0o755)
    path = {"PATH": f"{fake_vllm.parent}:/usr/bin:/bin"}
    script = launch.folder / "launch.sh"
    said = subprocess.run(["sh", script, "my/base"], env=path, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[:6] == [str(launch.folder), "serve", "my/base", "--host", "127.0.0.1", "--port"]
    wide = subprocess.run(["sh", script], env={**path, "HOST": "0.0.0.0"}, capture_output=True, text=True)
    assert (wide.returncode, wide.stdout) == (2, "")
    keyed = {**path, "HOST": "0.0.0.0", "VLLM_API_KEY": "k"}
    assert "0.0.0.0" in subprocess.run(["sh", script], env=keyed, capture_output=True, text=True, check=True).stdout


def test_the_embedded_base_is_named_as_others_can_get_it(
    registry: Registry, adapter: MakeAdapter, tmp_path: Path
) -> None:
    folder = adapter("short")
    write_json(folder / "hearth.json", {"base": str(tmp_path / "base")})
    registry.register("short", f"adapter:{folder}")
    version = registry.get("short", 1)
    write_json(folder / "hearth.json", {"base": "embedded"})
    assert registry.check(version).state == "changed", "another base gives other answers"
    from serving.registry.vllm import _base_for_others

    assert _base_for_others("embedded", registry) == HUB_ID


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["lm_head"]}, r"whole trained layers \(lm_head\)"),
        ({"trainable_token_indices": [1, 2]}, "rows of the vocabulary"),
        ({"bias": "all"}, "biases"),
        ({"rank_pattern": {"q_proj": 4}}, "different ranks"),
        ({"init_lora_weights": "pissa"}, "began as pissa"),
        ({"peft_type": "IA3"}, "not LoRA"),
        ({"r": 1024}, "512 at most"),
    ],
)
def test_adapters_that_vllm_can_not_load_are_refused_with_the_reason(
    two: Registry, adapter: MakeAdapter, tmp_path: Path, config: dict[str, Any], why: str
) -> None:
    two.register("odd", f"adapter:{adapter('odd', **config)}")
    with pytest.raises(BadInput, match=rf"odd@1: .*{why}"):
        vllm_launch(two, ["short@1", "odd@1"], tmp_path / "launch")
    assert not (tmp_path / "launch").exists()


def test_several_bases_whole_models_and_changed_files_are_refused(
    two: Registry, adapter: MakeAdapter, base: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other-base"
    write_json(other / "config.json", {})
    (other / "model.safetensors").write_text("other")
    folder = adapter("third")
    write_json(folder / "hearth.json", {"base": str(other)})
    two.register("third", f"adapter:{folder}")
    with pytest.raises(BadInput, match="2 different bases"):
        vllm_launch(two, ["short@1", "third@1"], tmp_path / "launch")
    two.register("whole", str(base))
    (tmp_path / "long" / "adapter_model.safetensors").write_text("changed")
    with pytest.raises(BadInput) as refused:
        vllm_launch(two, ["whole@1", "long@1"], tmp_path / "launch")
    assert "whole@1: " in refused.value.what
    assert "no longer holds" in refused.value.what


def test_only_an_earlier_launch_is_replaced(two: Registry, tmp_path: Path) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    (place / "thesis.txt").write_text("precious")
    with pytest.raises(BadInput, match="something else than a launch"):
        vllm_launch(two, ["short@1"], place)
    assert (place / "thesis.txt").read_text() == "precious"
    vllm_launch(two, ["short@1"], tmp_path / "launch")
    vllm_launch(two, ["long@1"], tmp_path / "launch")
    assert list((read_json(tmp_path / "launch" / "launch.json") or {})["models"]) == ["long@1"]
