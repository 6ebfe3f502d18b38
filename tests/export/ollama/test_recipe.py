"""A Modelfile comes back as what the create call takes, or is refused with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.modelfile import Parameters, modelfile
from export.ollama.recipe import read_recipe, recipe_beside
from jobs.errors import BadInput

PARAMETERS = Parameters(("<|im_end|>", 'a"b'), 2048, 0.5, 0.95, 40, 1.0)


def written(folder: Path, text: str, name: str = "Modelfile-F16") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_what_an_export_writes_comes_back_with_its_types(tmp_path: Path) -> None:
    system = 'Say "yes" and {{ .System }}.\nPARAMETER stop x\n\n# no comment, and é🐍'
    recipe = read_recipe(written(tmp_path, modelfile("toy-F16.gguf", system, PARAMETERS)))
    assert recipe.weights == "./toy-F16.gguf"
    assert recipe.parts.system == system
    assert recipe.parts.template is None
    assert recipe.parts.parameters == {
        "stop": ["<|im_end|>", 'a"b'],
        "num_ctx": 2048,
        "temperature": 0.5,
        "top_p": 0.95,
        "top_k": 40,
        "repeat_penalty": 1.0,
    }


def test_a_template_over_several_lines_and_a_licence_are_read(tmp_path: Path) -> None:
    text = 'from ./a.gguf\n# a comment\nTEMPLATE """{{ .System }}\n{{ .Prompt }}"""\nLICENSE "MIT"\n'
    text += "parameter use_mmap true\n"
    parts = read_recipe(written(tmp_path, text)).parts
    assert (parts.template, parts.license, parts.parameters) == (
        "{{ .System }}\n{{ .Prompt }}",
        "MIT",
        {"use_mmap": True},
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("FROM ./a.gguf\nPARAMETER num_ctx many\n", "line 2.*'many' is no value for num_ctx"),
        ("FROM ./a.gguf\nPARAMETER nope 1\n", "line 2.*'nope' is no parameter"),
        ('FROM ./a.gguf\n\nSYSTEM """never\nends\n', "line 3.*never end"),
        ("FROM ./a.gguf\nADAPTER ./x.gguf\n", "line 2.*'ADAPTER' is none of"),
        ("SYSTEM hi\n", "names no file"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(BadInput, match=r"(?s)" + problem):
        read_recipe(written(tmp_path, text))


def test_the_modelfile_that_names_the_file_is_found(tmp_path: Path) -> None:
    written(tmp_path, "FROM ./toy-F16.gguf\n")
    wanted = written(tmp_path, "FROM ./toy-Q8_0.gguf\n", "Modelfile-Q8_0")
    assert recipe_beside(tmp_path / "toy-Q8_0.gguf") == wanted
    assert recipe_beside(tmp_path / "other.gguf") is None
