"""Code from models: right programs pass, wrong and wild ones don't, and none reaches beyond its process."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from evaluation.metrics.code import Limits, code, runs
from evaluation.tasks import TaskItem

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="code is run on Linux alone")
QUICK = Limits(seconds=1.0, memory_bytes=1 << 29)
ITEM = TaskItem(
    "1", [{"role": "user", "content": "Write add(a, b)."}], "", "g", extra={"tests": "assert add(2, 3) == 5\n"}
)


def test_a_program_that_passes_its_tests_is_right() -> None:
    assert code("Here:\n```python\ndef add(a, b):\n    return a + b\n```\nDone.", ITEM) == 1.0
    assert code("def add(a, b):\n    return a + b", ITEM) == 1.0
    assert code("```python\ndef add(a, b):\n    return a - b\n```", ITEM) == 0.0
    assert code("I can't do that.", ITEM) == 0.0


def test_an_answer_may_complete_what_stands_before_it() -> None:
    begun = TaskItem("1", ITEM.messages, "", "g", extra={**ITEM.extra, "before": "def add(a, b):"})
    assert code("    return a + b", begun) == 1.0


@pytest.mark.parametrize(
    "program",
    ["import sys; sys.exit(0)", "import os; os._exit(0)", "raise SystemExit", "1/0", "def f(:", "import numpy"],
)
def test_what_does_not_reach_its_end_is_wrong(program: str) -> None:
    assert not runs(program, QUICK)


@pytest.mark.parametrize("program", ["while True: pass", "import time; time.sleep(60)", "input()\nwhile 1: 1"])
def test_an_endless_program_is_ended_in_time(program: str) -> None:
    started = time.monotonic()
    assert not runs(program, QUICK)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("program", ["x = bytearray(1 << 33)", "x = []\nwhile True: x.append('a' * 10**6)"])
def test_a_program_that_wants_all_memory_gets_none(program: str) -> None:
    assert not runs(program, QUICK)


@pytest.mark.parametrize(
    "program",
    [
        "import os\nwhile True: os.fork()",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.execv('/bin/true', ['true'])",
        "import multiprocessing as m; m.Process(target=print).start()",
        "import os; os.kill(os.getppid(), 0)",
    ],
)
def test_no_other_process_is_started_or_reached(program: str) -> None:
    assert not runs(program, QUICK)


@pytest.mark.parametrize(
    "program",
    [
        "import socket; socket.socket()",
        "import socket; socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:1')",
    ],
)
def test_there_is_no_network(program: str) -> None:
    refused = f"try: exec({program!r})\nexcept OSError as error: assert 'not permitted' in str(error)\nelse: 1 / 0"
    assert runs(refused, QUICK)
    assert not runs(program, QUICK)


def test_no_file_is_changed(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("precious")
    for act in (
        f"open({str(mine)!r}, 'w').write('x')",
        f"open({str(mine)!r}, 'a')",
        f"import os; os.remove({str(mine)!r})",
        f"import os; os.rename({str(mine)!r}, {str(mine) + '2'!r})",
        f"import os; os.truncate({str(mine)!r}, 0)",
        f"import os; os.chmod({str(mine)!r}, 0)",
        f"import shutil; shutil.rmtree({str(tmp_path)!r})",
        f"import os; os.mkdir({str(tmp_path / 'new')!r})",
        f"import os; os.open({str(tmp_path / 'new')!r}, os.O_CREAT | os.O_WRONLY)",
        f"import os; os.symlink('/', {str(tmp_path / 'new')!r})",
    ):
        assert not runs(act, QUICK), act
    assert mine.read_text() == "precious" and list(tmp_path.iterdir()) == [mine]


def test_reading_a_file_is_not_prevented_as_the_documentation_says(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("seen")
    assert runs(f"assert open({str(tmp_path / 'mine.txt')!r}).read() == 'seen'", QUICK)


def test_output_without_end_is_thrown_away_or_waits_for_the_time_to_be_up() -> None:
    assert runs("print('x' * 10**8)", QUICK)
    write = "try:\n  while True: os.write(number, b'x' * 10**6)\n except OSError: pass"
    flood = f"import os\nfor number in range(3, 9):\n {write}"
    assert not runs(flood, QUICK)


def test_nothing_of_the_environment_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "k-1")
    assert runs("import os; assert 'MY_SECRET' not in os.environ and len(os.environ) <= 1", QUICK)
    assert "MY_SECRET" in os.environ


def test_common_modules_and_threads_work() -> None:
    assert runs("import collections, dataclasses, itertools, json, math, random, re, typing, datetime", QUICK)
    assert runs("import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()", QUICK)
