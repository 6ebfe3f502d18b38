"""Nava programs are read, written and run as their language says; what can't be read or never ends is told."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import BadInput
from recipes.nava.checker import does_the_same, draw, maps, run
from recipes.nava.language import (
    Go,
    IfWall,
    Mark,
    Program,
    ProgramError,
    Repeat,
    Turn,
    UntilWall,
    read_program,
    write_program,
)

PROJECT = Path(__file__).resolve().parents[2]
numbers = st.integers(1, 99)
simple = st.one_of(st.builds(Go, numbers), st.builds(Turn, st.sampled_from(["left", "right", "back"])), st.just(Mark()))
statements = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.builds(Repeat, numbers, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(UntilWall, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(
            IfWall,
            st.lists(inner, min_size=1, max_size=2).map(tuple),
            st.lists(inner, max_size=2).map(tuple),
        ),
    ),
    max_leaves=8,
)
programs = st.lists(statements, min_size=1, max_size=4).map(tuple)


@given(programs)
def test_a_written_program_is_read_as_it_was(program: Program) -> None:
    try:
        again = read_program(write_program(program))
    except ProgramError as error:
        assert "blocks stand in one another" in error.problem
    else:
        assert again == program


@given(programs, st.sampled_from(["open", "room", "corridor", "nook", "yard"]))
def test_every_program_ends_or_is_said_to_run_on_for_ever_and_never_enters_a_wall(program: Program, name: str) -> None:
    land = maps()[name]
    try:
        walk = run(program, land)
    except ProgramError as error:
        assert "for ever" in str(error)
    else:
        assert not set(walk.path) & land.walls
        assert all(abs(x - u) + abs(y - v) == 1 for (x, y), (u, v) in zip(walk.path, walk.path[1:], strict=False))


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    try:
        read_program(text)
    except ProgramError as error:
        assert error.line <= len(text.splitlines())


def test_a_square_ends_where_it_began() -> None:
    walk = run(read_program("repeat 4\n  go 3\n  left\nend"), maps()["open"])
    assert (walk.end, walk.heading, walk.steps, walk.turns) == ((0, 0), 0, 12, 4)


def test_walls_stop_steps_end_loops_and_decide_conditions() -> None:
    # In the room there are six free squares east of the start and two north of it.
    walk = run(read_program("until wall\n go 1\nend\nleft\ngo 9"), maps()["room"])
    assert (walk.end, walk.bumps) == ((5, 2), 7)
    choice = read_program("if wall\n left\nelse\n go 2\nend\ngo 1")
    assert run(choice, maps()["nook"]).end == (0, 1)
    assert run(choice, maps()["open"]).end == (3, 0)


def test_marks_comments_and_indentation() -> None:
    walk = run(read_program("# twice\n\n   repeat 2 # so\ngo 2\nmark\nend"), maps()["open"])
    assert walk.marks == {(2, 0), (4, 0)}


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 0, "no statement"),
        ("# only words", 0, "no statement"),
        ("go 3\njump", 2, "`jump` is no statement"),
        ("go", 1, "is no statement"),
        ("go 0", 1, "no number from 1 to 99"),
        ("go 100", 1, "no number from 1 to 99"),
        ("go ٣", 1, "no number from 1 to 99"),
        ("repeat 2\ngo 1", 1, "has no `end`"),
        ("repeat 2\nend", 2, "nothing stands before `end`"),
        ("if wall\nelse\ngo 1\nend", 2, "nothing stands before `else`"),
        ("go 1\nend", 2, "`end` is no statement"),
        ("repeat 2\n" * 7 + "go 1\n" + "end\n" * 7, 7, "more than 6 blocks"),
        ("go 1\n" * 201, 0, "201 lines"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(ProgramError, match=problem.replace("(", r"\(")) as caught:
        read_program(text)
    assert caught.value.line == line


def test_programs_are_the_same_by_what_they_do_not_by_how_they_are_written() -> None:
    loop = "repeat 2\n  go 2\n  left\nend"
    assert does_the_same("go 2\nleft\ngo 1\ngo 1\nleft", loop)
    assert does_the_same("go 2\nright\nright\nright\ngo 2\nleft", loop)
    assert not does_the_same("go 2\nleft\ngo 2", loop), "it looks another way in the end"
    assert not does_the_same("go 2\nleft\ngo 2\nleft\nmark", loop)
    assert not does_the_same("Sure! Here is it:", loop)
    assert does_the_same("left\ngo 2\nright\ngo 3", "go 3\nleft\ngo 2", "end"), "another way to the same square"


def test_a_program_that_knows_one_map_by_heart_is_not_the_same() -> None:
    wanted = "until wall\n  go 1\nend\nleft"
    assert does_the_same("until wall\ngo 1\nend\nback\nright", wanted)
    assert not does_the_same("go 5\nleft", wanted)
    assert not does_the_same("until wall\nleft\nend", "go 1")


def test_a_wanted_program_that_is_none_is_the_datas_fault() -> None:
    with pytest.raises(BadInput, match="can't be read"):
        does_the_same("go 1", "fly 1")
    with pytest.raises(BadInput, match="ends on no map"):
        does_the_same(
            "go 1", "until wall\nleft\nright\nend\nuntil wall\nback\nend\nrepeat 99\nrepeat 99\nmark\nend\nend"
        )


def test_the_command_line_draws_a_walk_and_names_a_fault(tmp_path: Path) -> None:
    program = tmp_path / "program.txt"
    program.write_text("go 2\nleft\nmark\ngo 1\n", encoding="utf-8")
    assert draw(run(read_program(program.read_text()), maps()["open"]), maps()["open"]) == "..E\nSo*"
    command = [sys.executable, "-m", "recipes.nava.checker", str(program), "--map", "room"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "S" in done.stdout and "ends at (2, 1)" in done.stdout
    program.write_text("go 2\nleap\n", encoding="utf-8")
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "line 2" in done.stderr


def test_a_random_program_is_read_quickly_however_it_is_nested() -> None:
    draw_words = random.Random(0)
    words = ["go 3", "repeat 9", "until wall", "if wall", "else", "end", "left", "?"]
    for _ in range(300):
        text = "\n".join(draw_words.choice(words) for _ in range(40))
        try:
            read_program(text)
        except ProgramError as error:
            assert error.problem
