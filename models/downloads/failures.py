"""What the Hub refuses, or why it can't be asked, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jobs.errors import BadInput, Missing, UserError

LOG_IN = "Log in on the Models tab, or run `hf auth login`"


@contextmanager
def told(hub_id: str) -> Iterator[None]:
    """Inside, what huggingface_hub and its connection raise about a model becomes Missing or BadInput."""
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        yield
    except HFValidationError as error:
        raise BadInput(f"The Hub has no model '{hub_id}'.", str(error), "Name it as owner/name.") from error
    except HfHubHTTPError as error:
        raise _refusal(hub_id, error) from error
    except (httpx.TransportError, OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        raise unreachable(hub_id, str(error)) from error


def unreachable(hub_id: str, why: str) -> Missing:
    """No connection: what can be used without one is offered."""
    from models.downloads.cached import cached_models

    here = [each.hub_id for each in cached_models() if each.complete]
    offered = f"use a model that is here ({', '.join(here[:5])})" if here else "use `embedded`, which needs none"
    return Missing(
        f"The model '{hub_id}' isn't on this machine.",
        f"The Hugging Face Hub can't be reached, so it can't be downloaded: {why.strip() or 'it does not answer'}.",
        f"Connect and try again, give a local folder, or {offered}.",
    )


def _refusal(hub_id: str, error: Exception) -> UserError:
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, GatedRepoError):
        return gated(hub_id)
    if isinstance(error, RepositoryNotFoundError):
        return Missing(
            f"The Hub knows no model '{hub_id}'.",
            "The name is misspelled, or the model is private and this machine isn't logged in.",
            f"Check the spelling on huggingface.co. For a private model: {LOG_IN}.",
        )
    if isinstance(error, RevisionNotFoundError):
        return Missing(f"'{hub_id}' has no such version any more.", str(error), "Start the download anew.")
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
    if status == 401:
        return Missing(
            f"'{hub_id}' can't be downloaded with this machine's token.",
            "The Hub doesn't know the token, or it has expired.",
            f"{LOG_IN}, with a new token, then press Resume.",
        )
    if status == 403:
        return gated(hub_id)
    return Missing(f"The Hub refused '{hub_id}'.", str(error).strip(), "Try again later; what is here already is kept.")


def gated(hub_id: str) -> Missing:
    """A model whose owner wants terms accepted, or a token without the right to read it."""
    from huggingface_hub import get_token

    if get_token() is None:
        return Missing(
            f"The model '{hub_id}' is gated.",
            "Its owner asks you to accept terms first, and this machine isn't logged in to the Hub.",
            f"Accept them at https://huggingface.co/{hub_id}. {LOG_IN}. Then press Resume.",
        )
    return Missing(
        f"The model '{hub_id}' is gated.",
        "Its owner asks you to accept terms first, or your token may not read gated models.",
        f"Accept them at https://huggingface.co/{hub_id} with the account of your token. Then press Resume.",
    )
