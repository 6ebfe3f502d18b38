"""A LoRA adapter as a GGUF file of its own, which llama.cpp and Ollama add to the base's GGUF when they load it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from export.gguf import converter_script
from jobs.errors import BadInput, Missing

_SCRIPT = "convert_lora_to_gguf.py"


def convert_adapter(base: Path, adapter: Path, output: Path) -> None:
    """Write `adapter` (a PEFT folder) as F16 GGUF to `output`; of `base` only the configuration is read.

    Raises BadInput for an adapter that the format can't hold, Missing without llama.cpp's converter, and RuntimeError
    with its last lines for anything else.
    """
    _refuse_what_gguf_cannot_hold(adapter)
    script = converter_script().with_name(_SCRIPT)
    if not script.is_file():
        raise Missing(
            f"llama.cpp's {_SCRIPT} isn't installed.", "It converts adapters.", "pip install -r requirements.txt"
        )
    environment = {
        **os.environ,
        "PYTHONPATH": str(script.parent / "gguf-py"),
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".convert-") as temporary:
        # Written under a name that ends in .gguf, as the script wants it.
        written = Path(temporary) / "adapter.gguf"
        command = [
            sys.executable,
            str(script),
            str(adapter),
            "--base",
            str(base),
            "--outfile",
            str(written),
            "--outtype",
            "f16",
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0 or not written.is_file():
            lines = (done.stdout + done.stderr).splitlines()[-25:]
            raise RuntimeError("Converting the adapter failed. The converter's last lines:\n" + "\n".join(lines))
        os.replace(written, output)


def _refuse_what_gguf_cannot_hold(adapter: Path) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    reasons = []
    if config.get("use_dora"):
        reasons.append("DoRA's lengths have no place in it")
    if config.get("modules_to_save"):
        reasons.append(f"modules trained in full ({', '.join(config['modules_to_save'])}) have no place in it")
    if config.get("use_rslora") or config.get("alpha_pattern"):
        reasons.append("it knows one scale, alpha / rank, for all layers")
    if reasons:
        raise BadInput(
            "This adapter can't be written as GGUF.",
            f"The format holds plain LoRA: {'; '.join(reasons)}.",
            "Leave adapter_gguf out; gguf (merged) holds everything that was trained.",
        )
