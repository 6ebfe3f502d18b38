"""Uploading to the Hugging Face Hub: whatever it refuses is told in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jobs.errors import BadInput, Missing


def require_online() -> None:
    """Raise Missing where the user turned the Hub off."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise Missing("The Hub can't be reached.", "HF_HUB_OFFLINE is set.", "Unset it, connect, and try again.")


@contextmanager
def the_hub(repository: str, kind: str) -> Iterator[Any]:
    """huggingface_hub's HfApi, to upload to `repository`; `kind` is what goes there: model or dataset.

    Raises Missing without a login, a connection or the rights, BadInput for a name that the Hub doesn't take.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    require_online()
    try:
        yield HfApi()
    except HFValidationError as error:
        raise BadInput(f"The Hub takes no {kind} '{repository}'.", str(error), "Name it as owner/name.") from error
    except LocalTokenNotFoundError as error:
        raise Missing("This machine isn't logged in to the Hub.", str(error), "Run `hf auth login` once.") from error
    except HfHubHTTPError as error:
        raise Missing(
            f"The Hub refused the upload to {repository}.", str(error), "Check the name and your rights."
        ) from error
    except OSError as error:
        raise Missing("The Hub can't be reached.", str(error), "Check the connection and try again.") from error


def require_visibility(repository: str, kind: str, *, private: bool, there: bool) -> None:
    """Raise BadInput where a repository that is `there` already is seen by others than was asked for (`private`)."""
    if there == private:
        return
    raise BadInput(
        f"{repository} is there already, and {'everybody' if private else 'only you'} can see it.",
        f"Uploading doesn't change who sees a {kind}.",
        f"Choose that, another name, or change it in the {kind}'s settings on the Hub.",
    )
