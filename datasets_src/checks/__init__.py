"""Health checks. Every module here that has a `CHECKS` tuple adds its checks; nothing else has to be told of them."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from datasets_src.checks.check import GROUPS, Check, CheckSettings, Group, Remedy, RowCheck

_MODULES = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
# Stable: by group, within it in the order of the modules' names and of their declaration.
CHECKS: tuple[Check, ...] = tuple(
    sorted(
        (check for module in _MODULES for check in getattr(module, "CHECKS", ())),
        key=lambda check: GROUPS.index(check.group),
    )
)
ROW_CHECKS: tuple[RowCheck, ...] = tuple(check for check in CHECKS if isinstance(check, RowCheck))
# The bit of a row's flags that says that a check found it.
BIT: dict[str, int] = {check.name: bit for bit, check in enumerate(CHECKS)}


def names_of(flags: int) -> list[str]:
    """The names of the checks that a row's flags stand for."""
    return [check.name for bit, check in enumerate(CHECKS) if flags >> bit & 1]


__all__ = ["BIT", "CHECKS", "GROUPS", "ROW_CHECKS", "Check", "CheckSettings", "Group", "Remedy", "RowCheck", "names_of"]
