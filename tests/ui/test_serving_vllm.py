"""The form that writes a folder for vLLM: it offers what is registered, writes it, and says what can't be served."""

from __future__ import annotations

from pathlib import Path

from jobs.files import write_json, write_text
from jobs.workspace import Workspace
from serving.registry.store import Registry
from tests.ui.serving_page import build, error_of, handler
from ui.serving_vllm import FOLDER, servable


def register_adapter(workspace: Workspace, base: Path, name: str) -> None:
    folder = base.parent / name
    write_json(folder / "adapter_config.json", {"peft_type": "LORA", "r": 8, "base_model_name_or_path": str(base)})
    write_text(folder / "adapter_model.safetensors", "weights")
    write_json(folder / "hearth.json", {"base": str(base)})
    Registry(workspace).register(name, f"adapter:{folder}")


def test_two_adapters_are_written_and_the_endpoints_told(workspace: Workspace, tiny_model: Path) -> None:
    for name in ("short", "long"):
        register_adapter(workspace, tiny_model, name)
    Registry(workspace).register("whole", str(tiny_model))
    assert [label for label, _ in servable(workspace)] == ["long@1", "short@1", "whole@1"]
    press = handler(build(workspace), "write-vllm")
    html, error = press(None, ["short@1", "long@1"], " gpu.local ", 9000)
    assert error.value == "" and "http://gpu.local:9000/v1#short@1" in html and "sh launch.sh" in html
    assert (workspace.root / FOLDER / "launch.sh").exists()
    assert "Name registered adapters" in error_of(press(None, [], "gpu.local", 9000))
    assert "whole@1" in error_of(press(None, ["whole@1"], "gpu.local", 9000))
    assert "can&#x27;t be done in the demo" in error_of(
        handler(build(workspace, demo=True), "write-vllm")(None, ["short@1"], "gpu.local", 9000)
    )
