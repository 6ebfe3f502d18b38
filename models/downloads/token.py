"""The login to the Hub: a token goes into the Hub's own store, and from there to the Hub; into nothing of ours."""

from __future__ import annotations

import os
from dataclasses import dataclass

from jobs.errors import BadInput, Missing
from models.download import turned_off

TOKENS_PAGE = "https://huggingface.co/settings/tokens"
VARIABLE = "HF_TOKEN"


@dataclass(frozen=True)
class Login:
    """Whether there is a token, and in words where from. `removable`: whether logging out here takes it away."""

    there: bool
    words: str
    removable: bool = False


def login_state() -> Login:
    """How this machine stands with the Hub. No network: whether the Hub still takes the token shows with its use."""
    from huggingface_hub import get_token
    from huggingface_hub.utils import get_stored_tokens  # type: ignore[attr-defined]

    if os.environ.get(VARIABLE):
        return Login(True, f"Logged in to the Hub: {VARIABLE} holds a token.")
    token = get_token()
    if token is None:
        return Login(False, "Not logged in to the Hub. Only gated and private models need that.")
    name = next((name for name, stored in get_stored_tokens().items() if stored == token), None)
    return Login(True, f"Logged in to the Hub with the token “{name}”." if name else "Logged in to the Hub.", True)


def log_in(token: str) -> Login:
    """Have the Hub try the token, and keep it in the Hub's own store. Raises BadInput or Missing; neither tells it."""
    import httpx
    from huggingface_hub import login
    from huggingface_hub.errors import HfHubHTTPError

    token = token.strip()
    if not token:
        raise BadInput("No token was entered.", "The Hub knows you by it.", f"Make one at {TOKENS_PAGE}, and paste it.")
    if turned_off():
        raise Missing("The Hub can't be reached.", "HF_HUB_OFFLINE is set.", "Unset it, connect, and try again.")
    try:
        login(token=token)
    except (HfHubHTTPError, ValueError):
        # What the library says may hold parts of the token.
        raise BadInput(
            "The Hub doesn't take this token.",
            "It is misspelled, or it has expired.",
            f"Make a new one at {TOKENS_PAGE}.",
        ) from None
    except httpx.TransportError:
        raise Missing(
            "The Hub can't be reached.", "It has to try the token first.", "Connect, and try again."
        ) from None
    return login_state()


def log_out() -> Login:
    """Delete the stored token from this machine."""
    from huggingface_hub import logout

    if not login_state().removable:
        raise BadInput(
            "There is nothing to log out from.", f"No token is stored; {VARIABLE} is unset by hand.", "Go on as it is."
        )
    logout()
    return login_state()
