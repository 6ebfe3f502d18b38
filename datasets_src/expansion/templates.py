"""Templates of prompts and answers: Jinja2, in a sandbox and cut down to what can neither run long nor grow large.

What remains: `{{ … }}` with arithmetic, comparisons, dots and filters, `{% if %}`, and `{% for %}` over a parameter's
own list, not nested. Calls, macros, assignments and imports are refused; a derived value does what `{% set %}` would.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
import jinja2.environment
import jinja2.meta
import jinja2.sandbox
from jinja2 import nodes

from datasets_src.expansion.parameters import check_value

LONGEST_TEMPLATE = 20_000
LONGEST_TEXT = 100_000
LONGEST_SEPARATOR = 100
LARGEST_BITS = 1_024

Values = Mapping[str, Any]

_ALLOWED_NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For),
    *(nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Concat),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod),
)
_BUILT_IN_FILTERS = (
    *("abs", "capitalize", "default", "first", "float", "int", "last", "length", "lower", "max", "min", "round"),
    *("sort", "sum", "title", "trim", "unique", "upper"),
)
# What a template can go wrong with once it has values: a missing part, text where a number is needed, and the like.
_RENDERING_ERRORS = (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)


class TemplateProblem(ValueError):
    """What is wrong with a template, or with what it made of some values."""


class _Environment(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """Jinja's sandbox, where a multiplication can't repeat a text."""

    intercepted_binops = frozenset({"*", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise TemplateProblem(f"{operator} takes numbers")
        if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > LARGEST_BITS:
            raise TemplateProblem("the result is too large")
        return super().call_binop(context, operator, left, right)


def _make_environment() -> _Environment:
    environment = _Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_printable
    )
    environment.globals.clear()
    known = {name: environment.filters[name] for name in _BUILT_IN_FILTERS}
    environment.filters.clear()
    environment.filters.update(known, join=_join, replace=_replace, format=_format, tojson=to_json)
    return environment


def _printable(value: Any) -> Any:
    """What may stand in a text. A method (`{{ name.upper }}`) would print its address, another in every process."""
    if value is None or isinstance(value, str | int | float | list | dict | jinja2.Undefined):
        return value
    raise TemplateProblem(f"a {type(value).__name__} can't be printed; use a filter such as {{{{ name | upper }}}}")


def _join(values: Any, separator: str = "") -> str:
    parts = [str(part) for part in values]
    if len(str(separator)) > LONGEST_SEPARATOR or sum(map(len, parts)) > LONGEST_TEXT:
        raise TemplateProblem(f"join makes more than {LONGEST_TEXT:,} characters")
    return str(separator).join(parts)


def _replace(value: Any, old: Any, new: Any) -> str:
    text, known, wanted = str(value), str(old), str(new)
    if len(text) + text.count(known) * max(0, len(wanted) - len(known)) > LONGEST_TEXT:
        raise TemplateProblem(f"replace makes more than {LONGEST_TEXT:,} characters")
    return text.replace(known, wanted)


def _format(pattern: Any, *values: Any) -> str:
    """`"%.1f" | format(x)`."""
    if re.search(r"\*|\d{3}", str(pattern)):
        raise TemplateProblem("format takes widths and precisions up to 99")
    made: str = str(pattern) % values
    return made


def to_json(value: Any) -> str:
    """How structured answers, and the filter `tojson`, write a value."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


_ENVIRONMENT = _make_environment()


@dataclass(frozen=True)
class TextTemplate:
    """A template that makes text. `names` are those it needs a value for."""

    source: str
    names: frozenset[str]
    _generate: Callable[[Values], Iterator[str]]

    def text(self, values: Values) -> str:
        """The text for these values. Raises TemplateProblem when they don't fit, or when it grows too long."""
        pieces, length = [], 0
        try:
            for piece in self._generate(values):
                pieces.append(piece)
                length += len(piece)
                if length > LONGEST_TEXT:
                    raise TemplateProblem(f"makes more than {LONGEST_TEXT:,} characters")
        except _RENDERING_ERRORS as error:
            raise TemplateProblem(_in_words(self.source, error)) from error
        return "".join(pieces)


def compile_text(source: str) -> TextTemplate:
    """Check a template and make it ready. Raises TemplateProblem that says where it is wrong."""
    tree = _parsed(source)
    names = frozenset(jinja2.meta.find_undeclared_variables(tree))
    return TextTemplate(source, names, _ENVIRONMENT.from_string(source).generate)


@dataclass(frozen=True)
class Answer:
    """An answer as text and, where it is structured, as the value that the text is the JSON of."""

    text: str
    structured: Any | None


@dataclass(frozen=True)
class AnswerTemplate:
    """A text, or an object or list whose text leaves are templates. `names` are those it needs a value for."""

    names: frozenset[str]
    is_structured: bool
    _make: Callable[[Values], Any]

    def answer(self, values: Values) -> Answer:
        """The answer for these values. Raises TemplateProblem when they don't fit, or when it grows too long."""
        made = self._make(values)
        if not self.is_structured:
            return Answer(made, None)
        text = to_json(made)
        if len(text) > LONGEST_TEXT:
            raise TemplateProblem(f"the answer has more than {LONGEST_TEXT:,} characters")
        return Answer(text, made)


def compile_answer(given: Any) -> AnswerTemplate:
    """Check an answer's templates and make them ready. Raises TemplateProblem that says where one is wrong."""
    if isinstance(given, str):
        text = compile_text(given)
        return AnswerTemplate(text.names, False, text.text)
    part = _compile_part(given, "")
    return AnswerTemplate(part.names, True, part.make)


@dataclass(frozen=True)
class _Part:
    """A part of a structured answer, and the names it needs."""

    names: frozenset[str]
    make: Callable[[Values], Any]


def _compile_part(given: Any, place: str) -> _Part:
    if isinstance(given, str):
        try:
            return _compile_leaf(given)
        except TemplateProblem as error:
            raise TemplateProblem(f"{place}: {error}") from error
    if isinstance(given, dict):
        parts = {name: _compile_part(inner, f"{place}.{name}".lstrip(".")) for name, inner in given.items()}
        names = frozenset[str]().union(*(part.names for part in parts.values()))
        return _Part(names, lambda values: {name: part.make(values) for name, part in parts.items()})
    if isinstance(given, list):
        items = [_compile_part(inner, f"{place}[{number}]") for number, inner in enumerate(given, start=1)]
        names = frozenset[str]().union(*(item.names for item in items))
        return _Part(names, lambda values: [item.make(values) for item in items])
    return _Part(frozenset(), lambda _: given)


def _compile_leaf(source: str) -> _Part:
    """A leaf that is one `{{ … }}` and nothing beside it keeps its value's type: a number stays a number."""
    expression = _lone_expression(_parsed(source))
    if expression is None:
        text = compile_text(source)
        return _Part(text.names, text.text)
    names = compile_text(source).names
    target = nodes.Assign(nodes.Name("result", "store"), expression, lineno=1)
    # As Environment.compile_expression does, which takes the expression's source only.
    template = _ENVIRONMENT.from_string(nodes.Template([target], lineno=1))
    evaluate = jinja2.environment.TemplateExpression(template, undefined_to_none=False)

    def value(values: Values) -> Any:
        try:
            found = evaluate(values)
            if isinstance(found, jinja2.Undefined):
                str(found)  # raises the error that says what is missing
            check_value(found)
        except _RENDERING_ERRORS as error:
            raise TemplateProblem(_in_words(source, error)) from error
        return found

    return _Part(names, value)


def _lone_expression(tree: nodes.Template) -> nodes.Expr | None:
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output) or len(tree.body[0].nodes) != 1:
        return None
    only = tree.body[0].nodes[0]
    return None if isinstance(only, nodes.TemplateData) else only


def _parsed(source: str) -> nodes.Template:
    """The template's tree, checked. Raises TemplateProblem for what is no template, or not allowed in one."""
    if len(source) > LONGEST_TEMPLATE:
        raise TemplateProblem(f"a template has more than {LONGEST_TEMPLATE:,} characters")
    try:
        tree = _ENVIRONMENT.parse(source)
        _check(tree, inside_loop=False)
        # Compiled here as well, since unknown filters and tests are found only then.
        _ENVIRONMENT.from_string(source)
    except jinja2.TemplateError as error:
        raise TemplateProblem(_in_words(source, error)) from error
    except RecursionError as error:
        raise TemplateProblem(_in_words(source, error)) from error
    return tree


def _check(node: nodes.Node, inside_loop: bool) -> None:
    if not isinstance(node, _ALLOWED_NODES):
        name = "a call" if isinstance(node, nodes.Call) else f"`{type(node).__name__.lower()}`"
        raise jinja2.TemplateSyntaxError(f"{name} is not allowed in a template here", node.lineno)
    is_loop = isinstance(node, nodes.For)
    if is_loop and inside_loop:
        raise jinja2.TemplateSyntaxError("a loop inside a loop is not allowed", node.lineno)
    for child in node.iter_child_nodes():
        _check(child, inside_loop or is_loop)


def _in_words(source: str, error: Exception) -> str:
    first = " ".join(source.split())
    shown = first if len(first) <= 80 else first[:79] + "…"
    line = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) and "\n" in source else ""
    reason = error.message if isinstance(error, jinja2.TemplateError) else str(error)
    return f"`{shown}`{line}: {reason or 'is nested too deeply'}"
