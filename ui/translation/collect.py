"""Which texts the page may show, as the code has them. `python -m ui.translation.collect zh` adds new ones to zh.yaml.

Every string of the packages that the page shows something of is read, apart from documentation and what can't be words:
an f-string with a place for each thing that is put in, HTML as the texts between its tags. A text without a translation
is no text of the page, or is the same in that language.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import yaml

from ui.translation.catalogue import FOLDER, read_language
from ui.translation.markup import SPOKEN

PROJECT = Path(__file__).parents[2]
PACKAGES = ("ui", "trainer", "datasets_src", "evaluation", "export", "serving", "models", "jobs")
FILES = (*(f"{package}/**/*.py" for package in PACKAGES), "recipes/*.py", "recipes/*/recipe*.py")
# Prompts for models, templates, and programs as text: nothing of these is shown as the page's own words.
OTHER = (
    "trainer/script*.py", "export/templates/*", "export/readme.py", "evaluation/judge/prompts.py", "ui/translation/*",
    "datasets_src/checks/phrases.py", "evaluation/task_templates/*",
)  # fmt: skip
HOLE = "\0"
# In words for people <name> stands for a name, and is no tag.
TAG = re.compile(
    r"(</?(?:a|article|b|br|button|code|dd|details|div|dl|dt|em|form|h\d|hr|i|iframe|img|input|label|li|ol|option|p|path|"
    r"pre|rect|section|select|span|strong|sub|summary|sup|svg|table|tbody|td|text|textarea|th|thead|title|tr|ul)\b[^<>]*>)"
)
# Two words, or one that begins like a label; anything with code's own signs in it is none.
WORDS = re.compile(
    r"[A-Za-z]{2,}[,:;.!?’']?\s+[A-Za-z\0“(‘0-9]|[\0)”’][,:;.!?]?\s+[A-Za-z]{2,}|^[A-Z][a-z]+[a-z …:.!?]*$"
)
CODE = re.compile(
    r"[{}\\]|\(\?|\n\s|function|=>|::|/\*|^--|var\(--|^\s*(?:def|import|from) "
    r"|\b(?:SELECT|CREATE|WHERE|INSERT INTO|DELETE FROM|ON CONFLICT|UPDATE [a-z]+ SET)\b"
)
LONGEST = 900


def texts_of(source: str) -> Iterator[str]:
    """The texts in a Python file, with `{0}`, `{1}` … where something is put in."""
    tree = ast.parse(source)
    skipped = {id(node) for node in _documentation(tree)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Call) and _name(node.func) == "count" and len(node.args) > 1:
            yield from _counted(node.args[1])
        text = _template(node)
        if text is not None:
            skipped |= {
                id(each) for each in ast.walk(node) if isinstance(each, ast.Constant | ast.JoinedStr | ast.BinOp)
            }
            skipped -= {id(each) for part in _holes(node) for each in ast.walk(part)}
            yield from _texts(text)


def project_texts() -> dict[str, str]:
    """Every text, and the first file that has it, in the order of the files."""
    found: dict[str, str] = {}
    for files in FILES:
        for path in sorted(PROJECT.glob(files)):
            if not any(path.match(pattern) for pattern in OTHER):
                for text in texts_of(path.read_text(encoding="utf-8")):
                    found.setdefault(text, path.relative_to(PROJECT).as_posix())
    return found


def _documentation(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _name(function: ast.expr) -> str:
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def _counted(noun: ast.expr) -> Iterator[str]:
    """What `count` makes of a noun."""
    if isinstance(noun, ast.Constant) and isinstance(noun.value, str):
        yield f"{{0}} {noun.value}"
        yield f"{{0}} {noun.value}s"


def _template(node: ast.AST) -> str | None:
    """The string that an expression makes, a hole where something is put in; None for what makes none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(part) or HOLE for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _template(node.left), _template(node.right)
        return None if left is None and right is None else (left or HOLE) + (right or HOLE)
    return None


def _holes(node: ast.AST) -> Iterator[ast.AST]:
    """The expressions that are put into a template."""
    if isinstance(node, ast.FormattedValue):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            yield from _holes(part)
    elif isinstance(node, ast.BinOp):
        for side in (node.left, node.right):
            if _template(side) is None:
                yield side
            else:
                yield from _holes(side)


def _texts(template: str) -> Iterator[str]:
    spoken = [found[1] for found in SPOKEN.findall(template)]
    for piece in [*TAG.split(template), *spoken]:
        text = unescape(piece).strip()
        if piece.startswith("<") or not WORDS.search(text) or CODE.search(text) or len(text) > LONGEST:
            continue
        numbers = iter(range(text.count(HOLE)))
        yield re.sub(HOLE, lambda _, numbers=numbers: f"{{{next(numbers)}}}", text)  # type: ignore[misc]


def main(language: str) -> None:
    """Add what is new to a language's file without a translation, and take away what the code no longer has."""
    path = FOLDER / f"{language}.yaml"
    read = read_language(language)
    known = read["texts"]
    read["texts"] = {text: known.get(text) for text in project_texts()}
    path.write_text(yaml.safe_dump(read, allow_unicode=True, sort_keys=False, width=1000), encoding="utf-8")
    print(f"{path}: {sum(text not in known for text in read['texts'])} new of {len(read['texts'])}")


if __name__ == "__main__":
    main(sys.argv[1])
