"""Keeping libraries' notices that nobody can act on out of the log: missing optional kernels, loading bars."""

from __future__ import annotations

import logging
import os

CHATTY = ("bitsandbytes", "torchao")


def quiet_libraries() -> None:
    """Call before the libraries are imported; errors still come through."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
