"""DownloadSpec: which model is fetched from the Hub."""

from __future__ import annotations

from pydantic import field_validator

from jobs.spec import Spec, option


class DownloadSpec(Spec):
    """A model of the Hugging Face Hub, fetched whole into the Hub's cache. A token never stands here."""

    model: str = option(
        label="Model", help="Its id on the Hugging Face Hub, as in Qwen/Qwen3-4B.", depth="essential", min_length=1
    )

    @field_validator("model")
    @classmethod
    def _is_hub_id(cls, text: str) -> str:
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

        text = text.strip().removeprefix("https://huggingface.co/").strip("/")
        try:
            validate_repo_id(text)
        except HFValidationError as error:
            raise ValueError(f"is no id of the Hub, which looks like owner/name: {error}") from error
        if text.count("/") != 1:
            raise ValueError("is no id of the Hub, which looks like owner/name")
        return text
