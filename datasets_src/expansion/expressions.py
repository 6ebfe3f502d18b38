"""Expressions over a scenario's parameters, such as `range_km > 15 and radar == "locked"`: read, checked, computed.

A subset of Python's expressions, computed by our own code and never by `eval`: literals, names, lists, comparisons,
`in`, `and`, `or`, `not`, `a if b else c`, `+ - * / // % **` and min, max, abs, round, len. Whatever could take long or
grow large is refused, so that an expression from a stranger's file costs no more than its length.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_EXPRESSION = 1_000
DEEPEST_EXPRESSION = 40
LARGEST_BITS = 1_024
LONGEST_TEXT = 10_000
MOST_DECIMALS = 15

Values = Mapping[str, Any]
Compute = Callable[[Values], Any]

FUNCTIONS: dict[str, Callable[..., Any]] = {"abs": abs, "len": len, "max": max, "min": min, "round": round}
_ARITHMETIC: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", operator.pow),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.In: ("in", lambda item, container: item in container),
    ast.NotIn: ("not in", lambda item, container: item not in container),
}


class ExpressionError(ValueError):
    """What is wrong with an expression, and where: `column` counts characters from 1."""

    def __init__(self, text: str, column: int, problem: str) -> None:
        super().__init__(text, column, problem)
        self.text = text
        self.column = column
        self.problem = problem

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 120 else self.text[:119] + "…"
        return f"`{shown}`, column {self.column}: {self.problem}"


@dataclass(frozen=True)
class Expression:
    """A checked expression. `names` are those it needs a value for."""

    text: str
    names: frozenset[str]
    _compute: Compute

    def value(self, values: Values) -> Any:
        """The expression's value. Raises ExpressionError where these values don't allow one (a division by zero)."""
        return self._compute(values)

    def holds(self, values: Values) -> bool:
        """Whether a condition is true. Raises ExpressionError when its value is neither true nor false."""
        found = self._compute(values)
        if not isinstance(found, bool):
            raise ExpressionError(self.text, 1, f"is {_described(found)}, not true or false")
        return found


def compile_expression(text: str) -> Expression:
    """Check an expression and make it ready to be computed. Raises ExpressionError that says where it is wrong."""
    if len(text) > LONGEST_EXPRESSION:
        raise ExpressionError(text, LONGEST_EXPRESSION + 1, f"is longer than {LONGEST_EXPRESSION:,} characters")
    plain = " ".join(text.strip().splitlines())
    if not plain:
        raise ExpressionError(plain, 1, "is empty")
    try:
        tree = ast.parse(plain, mode="eval")
    except SyntaxError as error:
        # Python gives no place for what ends too early.
        raise ExpressionError(plain, error.offset or len(plain) + 1, error.msg) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(plain, 1, f"can't be read ({error or 'nested too deeply'})") from error
    compiler = _Compiler(plain)
    compute = compiler.compile(tree.body, 0)
    return Expression(plain, frozenset(compiler.names), compute)


class _Compiler:
    """Turns a syntax tree into nested functions, refusing whatever is not in the subset."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: set[str] = set()

    def error(self, node: ast.expr, problem: str) -> ExpressionError:
        # Python counts bytes; people count characters.
        line = self.text.encode()[: node.col_offset]
        return ExpressionError(self.text, len(line.decode(errors="ignore")) + 1, problem)

    def compile(self, node: ast.expr, depth: int) -> Compute:
        if depth > DEEPEST_EXPRESSION:
            raise self.error(node, "is nested too deeply")
        deeper = depth + 1
        match node:
            case ast.Constant(value=value):
                return self._constant(node, value)
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                items = [self.compile(part, deeper) for part in parts]
                return lambda values: [item(values) for item in items]
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                condition = self._condition(operand, deeper)
                return lambda values: not condition(values)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                return self._signed(operand, isinstance(sign, ast.USub), deeper)
            case ast.BoolOp(op=op, values=parts):
                conditions = [self._condition(part, deeper) for part in parts]
                combine = all if isinstance(op, ast.And) else any
                return lambda values: combine(condition(values) for condition in conditions)
            case ast.IfExp(test=test, body=body, orelse=other):
                condition = self._condition(test, deeper)
                first, second = self.compile(body, deeper), self.compile(other, deeper)
                return lambda values: first(values) if condition(values) else second(values)
            case ast.BinOp():
                return self._arithmetic(node, deeper)
            case ast.Compare():
                return self._comparison(node, deeper)
            case ast.Call():
                return self._call(node, deeper)
            case _:
                raise self.error(node, f"{_construct(node)} is not allowed here; allowed are {_ALLOWED}")

    def _constant(self, node: ast.expr, value: Any) -> Compute:
        if value is not None and not isinstance(value, bool | int | float | str):
            raise self.error(node, f"{value!r} is not allowed here; allowed are {_ALLOWED}")
        self._bounded(node, value)
        return lambda _: value

    def _name(self, node: ast.expr, name: str) -> Compute:
        if name in FUNCTIONS:
            raise self.error(node, f"{name} is a function; write {name}(…)")
        self.names.add(name)
        return lambda values: values[name]

    def _condition(self, node: ast.expr, depth: int) -> Callable[[Values], bool]:
        """A part that has to be true or false, so that `a == 1 or 2` is a mistake and not always true."""
        compute = self.compile(node, depth)

        def condition(values: Values) -> bool:
            found = compute(values)
            if not isinstance(found, bool):
                raise self.error(node, f"is {_described(found)}, where true or false is needed")
            return found

        return condition

    def _signed(self, node: ast.expr, negative: bool, depth: int) -> Compute:
        compute = self.compile(node, depth)

        def signed(values: Values) -> Any:
            found = compute(values)
            if not _is_number(found):
                raise self.error(node, f"is {_described(found)}, which has no sign")
            return -found if negative else found

        return signed

    def _arithmetic(self, node: ast.BinOp, depth: int) -> Compute:
        if type(node.op) not in _ARITHMETIC:
            raise self.error(node, f"this operator is not allowed here; allowed are {_ALLOWED}")
        symbol, operate = _ARITHMETIC[type(node.op)]
        left, right = self.compile(node.left, depth), self.compile(node.right, depth)

        def arithmetic(values: Values) -> Any:
            one, other = left(values), right(values)
            self._check_operands(node, symbol, one, other)
            try:
                found = operate(one, other)
            except ZeroDivisionError:
                raise self.error(node.right, "division by zero") from None
            except OverflowError:
                raise self.error(node, "the result is too large") from None
            return self._bounded(node, found)

        return arithmetic

    def _check_operands(self, node: ast.BinOp, symbol: str, one: Any, other: Any) -> None:
        texts = isinstance(one, str) and isinstance(other, str) and symbol == "+"
        if not texts and not (_is_number(one) and _is_number(other)):
            raise self.error(node, f"can't compute {_described(one)} {symbol} {_described(other)}")
        if symbol == "**" and isinstance(one, int) and one.bit_length() * abs(other) > LARGEST_BITS:
            raise self.error(node, "the result is too large")

    def _comparison(self, node: ast.Compare, depth: int) -> Compute:
        parts = [self.compile(part, depth) for part in [node.left, *node.comparators]]
        unknown = [op for op in node.ops if type(op) not in _COMPARISONS]
        if unknown:
            raise self.error(node, "`is` is not allowed here; compare with == or !=")
        steps = [_COMPARISONS[type(op)] for op in node.ops]

        def comparison(values: Values) -> bool:
            one = parts[0](values)
            for (symbol, compare), part in zip(steps, parts[1:], strict=True):
                other = part(values)
                try:
                    if not compare(one, other):
                        return False
                except TypeError:
                    raise self.error(node, f"can't compare {_described(one)} {symbol} {_described(other)}") from None
                one = other
            return True

        return comparison

    def _call(self, node: ast.Call, depth: int) -> Compute:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name not in FUNCTIONS:
            raise self.error(node, f"only {', '.join(FUNCTIONS)} can be called here")
        if node.keywords or not node.args or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.error(node, f"{name} takes plain values only, at least one")
        function = FUNCTIONS[name]
        arguments = [self.compile(argument, depth) for argument in node.args]

        def call(values: Values) -> Any:
            given = [argument(values) for argument in arguments]
            if name == "round" and len(given) == 2 and not (_is_whole(given[1]) and abs(given[1]) <= MOST_DECIMALS):
                raise self.error(node, f"round takes a whole number of decimals, at most {MOST_DECIMALS}")
            try:
                return function(*given)
            except (TypeError, ValueError, OverflowError) as error:
                raise self.error(node, f"{name} can't take {', '.join(map(_described, given))} ({error})") from None

        return call

    def _bounded(self, node: ast.expr, value: Any) -> Any:
        too_large = (
            (isinstance(value, int) and value.bit_length() > LARGEST_BITS)
            or (isinstance(value, float) and not math.isfinite(value))
            or (isinstance(value, str) and len(value) > LONGEST_TEXT)
        )
        if too_large:
            raise self.error(node, "the result is too large")
        if isinstance(value, complex):
            raise self.error(node, "a negative number has no such power")
        return value


_ALLOWED = "literals, names, comparisons, arithmetic, in, and/or/not, a if b else c, " + ", ".join(FUNCTIONS)


def _construct(node: ast.expr) -> str:
    names = {"Attribute": "a dot", "Subscript": "an index", "Lambda": "lambda", "JoinedStr": "an f-string"}
    return names.get(type(node).__name__, type(node).__name__)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _described(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:59] + "…"
