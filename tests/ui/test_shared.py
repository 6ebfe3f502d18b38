"""Drafts, errors, choices, paths and conversations: what the tabs share, without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput
from jobs.workspace import Workspace
from tests.toys import write_rows
from ui.drafts import read_draft, save_draft
from ui.errors import explain, job_error
from ui.job_view import artifacts, file_links, job_html
from ui.page import Settings
from ui.paths import check_model, check_task, inside, keep_upload
from ui.picks import Pick
from ui.words import duration, size, without_visitors


def make_job(workspace: Workspace, kind: str = "train", title: str = "mine") -> JobDirectory:
    path = workspace.new_job_path(kind)
    return JobDirectory.create(path, kind=kind, title=title, spec={"model": "embedded", "data": "d"}, resource=None)


def test_a_draft_is_kept_on_disk_and_none_forgets(workspace: Workspace) -> None:
    save_draft(workspace, "training", form={"rank": 4}, job="a")
    save_draft(workspace, "training", job=None)
    assert read_draft(Workspace(workspace.root), "training") == {"form": {"rank": 4}}


def test_drafts_kept_at_the_same_time_lose_nothing(workspace: Workspace) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: save_draft(workspace, "training", **{f"option{number}": number}), range(100)))
    assert len(read_draft(workspace, "training")) == 100


def test_a_spoilt_draft_is_an_empty_one(workspace: Workspace) -> None:
    workspace.drafts.mkdir(parents=True)
    (workspace.drafts / "training.json").write_text('{"form": ')
    assert read_draft(workspace, "training") == {}


def test_an_error_says_what_why_and_what_to_do_and_lets_no_html_through() -> None:
    html = explain(BadInput("<b>x</b> is bad.", "It is <i>.", "Mend\nit."))
    assert "&lt;b&gt;x&lt;/b&gt; is bad." in html and "It is &lt;i&gt;." in html and "Mend<br>it." in html


def test_an_unexpected_error_shows_as_internal(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Internal error" in explain(ZeroDivisionError("division by zero"))
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_failed_job_shows_its_error_and_hint(workspace: Workspace) -> None:
    job = make_job(workspace)
    status = Status(
        State.FAILED, message="No row.", error_kind="bad_input", error="No row. It is empty.", hint="Add rows."
    )
    html = job_error(job, status)
    assert html.count("No row.") == 1 and "It is empty." in html and "Add rows." in html
    assert html in job_html(job, status)


def test_a_long_list_of_faults_is_behind_a_fold() -> None:
    faults = [f"- row {number} is empty" for number in range(20)]
    html = explain(BadInput("\n".join(["20 rows can't be used:", *faults]), "They are empty.", "Mend them."))
    first, folded = html.split("<details>")
    assert "20 rows can&#x27;t be used:" in first and "row 19" not in first and "row 19" in folded
    assert "<details>" not in explain(BadInput("One row:\n- row 1", "It is empty.", "Mend it."))


def test_a_job_shows_state_progress_and_time_left(workspace: Workspace) -> None:
    status = Status(State.RUNNING, progress=0.25, message="training step 3 of 12", eta_seconds=125.0)
    html = job_html(make_job(workspace, title="<x>"), status)
    assert "&lt;x&gt;" in html and 'aria-valuenow="25"' in html
    assert "Training step 3 of 12 · about 2 min 5 s left" in html


def test_file_links_name_files_from_the_manifest_alone(workspace: Workspace) -> None:
    job = make_job(workspace)
    for name in ("model.gguf", "scratch.bin"):
        (job.path / name).write_bytes(b"x" * 2000)
    job.write_manifest({"artifacts": {"model.gguf": {}, "gone.gguf": {}}})
    assert artifacts(job) == [job.path / "model.gguf"]
    assert "model.gguf" in file_links(job, artifacts(job)) and "2 kB" in file_links(job, artifacts(job))


def test_words_for_times_and_sizes() -> None:
    assert [duration(each) for each in (4.4, 200, 7500)] == ["4 s", "3 min 20 s", "2 h 5 min"]
    assert [size(each) for each in (12, 5_190_000, 2.5e9)] == ["12 bytes", "5.19 MB", "2.5 GB"]


def test_a_pick_follows_the_newest_until_something_is_chosen(workspace: Workspace) -> None:
    things = [("New", "new"), ("Old", "old")]
    pick = Pick("training", "data", lambda _: things, None, None)
    assert pick.value(workspace) == "new"
    pick.keep(workspace, "new")  # the default is no choice
    things.insert(0, ("Newer", "newer"))
    assert pick.value(workspace) == "newer"
    pick.keep(workspace, "old")
    things.insert(0, ("Newest", "newest"))
    assert pick.value(workspace) == "old"


def test_paths_from_the_browser_stay_inside_the_workspace(workspace: Workspace, tmp_path: Path) -> None:
    assert inside(workspace, "uploads/a.jsonl") == workspace.root / "uploads" / "a.jsonl"
    (workspace.root).mkdir()
    (workspace.root / "out").symlink_to(tmp_path)
    for text in ("../a.jsonl", "/etc/passwd", "uploads/../../x", "out/secret"):
        with pytest.raises(BadInput, match="outside the workspace"):
            inside(workspace, text)


def test_an_upload_never_replaces_another_file(workspace: Workspace, tmp_path: Path) -> None:
    first, second = tmp_path / "1" / "rows.jsonl", tmp_path / "2" / "rows.jsonl"
    write_rows(first, [{"a": 1}])
    write_rows(second, [{"a": 2}])
    kept = [keep_upload(workspace, path) for path in (first, second, first)]
    assert kept[0] == kept[2] and kept[0] != kept[1]
    assert kept[1].read_text() == second.read_text()


def test_the_demo_takes_neither_paths_nor_models_nor_code(workspace: Workspace, tmp_path: Path) -> None:
    demo = Settings(workspace.root, demo=True, local=False)
    with pytest.raises(BadInput, match="demo"):
        check_model(demo, workspace, str(tmp_path))
    with pytest.raises(BadInput):
        check_task(demo, workspace, "my/task.py")
    check_model(demo, workspace, "embedded")
    check_task(demo, workspace, "exact_match")


def test_a_page_that_others_reach_loads_no_folder_from_elsewhere(workspace: Workspace, tmp_path: Path) -> None:
    check_model(Settings(workspace.root, local=True), workspace, str(tmp_path))
    with pytest.raises(BadInput, match="outside"):
        check_model(Settings(workspace.root, local=False), workspace, str(tmp_path))


def test_each_visitor_of_the_demo_has_a_workspace(tmp_path: Path) -> None:
    demo = Settings(tmp_path, demo=True)
    mine, yours = demo.workspace("a" * 32).root, demo.workspace("b" * 32).root
    assert mine != yours and mine.is_relative_to(tmp_path)
    assert "a" * 32 not in str(mine) and demo.workspace("../../etc").root.parent == mine.parent


def test_a_visitor_does_not_learn_the_names_of_others() -> None:
    waiting = "Waiting for Snake (20261120-1-train-01a4, workspace /data/visitors/0123abcd)"
    assert without_visitors(waiting) == "Waiting for Snake (20261120-1-train-01a4)"
    assert without_visitors("Waiting for Snake (a, workspace /home/me/ws)").endswith("/home/me/ws)")
