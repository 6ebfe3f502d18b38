"""Which weights matter most, measured by llama.cpp's own llama-imatrix on the texts that the model was trained on.

The quantiser spends the few bits it has where the importance matrix says (https://github.com/ggml-org/llama.cpp/pull/4861);
the kinds of two and three bits can't be made without one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from export.llama_tools import ToolFailed, run_tool
from jobs.errors import BadInput, Missing
from models.llama_programs import find_tool

CONTEXT_TOKENS = 512
# 100 windows of 512 tokens; what more would change is less than what the choice of text changes.
_WINDOWS = 100
_CHARACTERS = 2_000_000
_WINDOW_DONE = re.compile(r"\[(\d+)\]-?[\d.naif]+,")
_WINDOWS_PLANNED = re.compile(r"computing over (\d+) chunks")
_TOO_SHORT = "you need at least"

Progress = Callable[[float], None]


def measure_importance(
    model: Path, texts: Iterable[str], output: Path, progress: Progress = lambda _fraction: None
) -> None:
    """Write the importance matrix of `model` (a GGUF in 16 or 32 bits) to `output`, for `quantise`.

    `texts`: training rows as the chat template renders them; about 50,000 tokens are read at most. Whatever `progress`
    raises stops it. After any error there is no `output`. Raises Missing without llama-imatrix, BadInput when there is
    too little text, ToolFailed with its last lines for other failures, OSError when the disk is full.
    """
    tool = find_tool("llama-imatrix")
    if tool is None:
        raise Missing(
            "The importance matrix can't be measured here.",
            "That is done by llama.cpp's own program llama-imatrix, and it is nowhere to be found.",
            "Install llama.cpp so that llama-imatrix is on the PATH, or export without an importance matrix.",
        )
    with ExitStack() as undo:
        written = output.with_name(f"{output.name}.txt")
        undo.callback(written.unlink, missing_ok=True)
        _write_texts(written, texts)
        with ExitStack() as undo_output:
            undo_output.callback(output.unlink, missing_ok=True)
            _run(tool, model, written, output, progress)
            undo_output.pop_all()


def _write_texts(file: Path, texts: Iterable[str]) -> None:
    """As many texts as are needed at most, one after the other."""
    left = _CHARACTERS
    with file.open("w", encoding="utf-8") as out:
        for text in texts:
            out.write(text[:left].rstrip("\n") + "\n")
            left -= len(text)
            if left <= 0:
                break


def _run(tool: Path, model: Path, texts: Path, output: Path, progress: Progress) -> None:
    planned = _WINDOWS

    def on_text(printed: str) -> None:
        nonlocal planned
        for number in _WINDOWS_PLANNED.findall(printed):
            planned = max(1, int(number))
        for number in _WINDOW_DONE.findall(printed):
            progress(min(1.0, int(number) / planned))

    command = [str(tool), "-m", str(model), "-f", str(texts), "-o", str(output), "-c", str(CONTEXT_TOKENS)]
    # Special tokens of the template count as such, not as the letters that they are written with.
    command += ["--chunks", str(_WINDOWS), "--parse-special"]
    try:
        run_tool(command, output, on_text)
    except ToolFailed as failure:
        if _TOO_SHORT not in failure.log:
            raise
        raise BadInput(
            "The training rows are too few for an importance matrix.",
            f"llama-imatrix needs {2 * CONTEXT_TOKENS} tokens of text.",
            "Export without an importance matrix, or train on more rows.",
        ) from failure
    if not output.is_file():
        raise RuntimeError(f"{tool} ended without an error, but wrote no {output.name}")
