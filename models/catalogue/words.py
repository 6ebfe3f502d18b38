"""What the catalogue's short marks mean: licences, languages, and which kind of model to take."""

from __future__ import annotations

# Name on the Hub, how it is called, and what it allows in one sentence.
LICENCES: dict[str, tuple[str, str]] = {
    "apache-2.0": ("Apache 2.0", "Use, change and sell what you make of it; keep the notice."),
    "mit": ("MIT", "Use, change and sell what you make of it; keep the notice."),
    "gemma": ("Gemma terms", "Commercial use is allowed; Google's use policy applies to what you make of it too."),
    "llama2": ("Llama 2 licence", "Commercial use is allowed below 700 million users; Meta's use policy applies."),
    "llama3.1": ("Llama 3.1 licence", "Commercial use below 700 million users; what you publish is named “Llama …”."),
    "llama3.2": ("Llama 3.2 licence", "Commercial use below 700 million users; what you publish is named “Llama …”."),
    "qwen-research": ("Qwen research licence", "For research and trying out only, not for commercial use."),
}

LANGUAGES: dict[str, str] = {
    "ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "en": "English", "es": "Spanish", "fi": "Finnish",
    "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ru": "Russian", "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip

KINDS: dict[str, tuple[str, str]] = {
    "instruct": ("Instruct", "It already answers and follows requests: the better start for up to some thousand rows."),
    "base": (
        "Base",
        "It only continues text: for plain text, or for many rows. One without a chat template gets Hearth's own.",
    ),
}
ADVICE = (
    "Take an instruct model unless you train on plain text or on very many rows: it already knows how to answer, "
    "so that a few hundred rows are enough to teach it yours."
)


def parameters_in_words(count: int) -> str:
    """`135 million`, `8.2 billion`."""
    return f"{count / 1e9:.1f} billion" if count >= 999_500_000 else f"{count / 1e6:.0f} million"


def licence_words(licence: str) -> str:
    """Its name, and what it allows."""
    name, allows = LICENCES[licence]
    return f"{name}: {allows}"
