"""Attention: the quickest implementation for rows of a length, and one for rows that stand one after the other.

On a CPU, PyTorch's fused attention spends more on its blocks than it saves on short rows: a LoRA step of SmolLM2-135M
with 16 rows of 48 tokens took 1.35 s fused and 1.02 s plain on two cores, and the same for both at 256 tokens. Plain
attention needs memory for rows × heads × tokens², which is small at that length.

Rows one after the other (padding-free): everything but attention works on single tokens, so a batch can be one long
row without any padding. Only attention has to know where each row ends: `sequence_lengths`, handed to the model beside
the tokens, says so. Because attention is causal, a mask is never needed.
"""

from __future__ import annotations

from typing import Any

LONGEST_PLAIN = 256
ROWS = "hearth_rows"


def use_quickest_attention(model: Any, tokens: int) -> None:
    """Set up a loaded model for rows of up to `tokens` tokens; transformers looks the choice up at every call.

    On a GPU, and where something else than the two (flash attention, a backend's own) was chosen, nothing changes.
    """
    if str(model.device) == "cpu" and model.config._attn_implementation in ("eager", "sdpa"):
        model.config._attn_implementation = "eager" if tokens <= LONGEST_PLAIN else "sdpa"


def use_row_attention(model: Any) -> bool:
    """Have a loaded model take rows one after the other, if it then computes what it did before.

    Padded batches work as they did. It is tried on two short rows: models with states that run along the tokens
    (Mamba and the like) or with an attention of their own don't answer the same, and stay as they are.
    """
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    configuration = model.config.get_text_config()
    if getattr(configuration, "attn_logit_softcapping", None):
        return False
    before = configuration._attn_implementation
    rows = [[5, 6, 7, 8, 9, 10, 11], [12, 13, 14, 15]]
    alone = _answers(model, flat_inputs(rows[1:]))
    ALL_ATTENTION_FUNCTIONS.register(ROWS, attend)
    ALL_MASK_ATTENTION_FUNCTIONS.register(ROWS, _mask)
    configuration._attn_implementation = ROWS
    together = _answers(model, flat_inputs(rows))[len(rows[0]) :]
    # Two implementations in bf16 part by rounding, far less than by seeing another row's tokens.
    same = bool((together - alone).abs().max() <= 0.03 * alone.abs().max())
    if not same:
        configuration._attn_implementation = before
    return same


def _answers(model: Any, inputs: dict[str, Any]) -> Any:
    """Logits (tokens, vocabulary) in float32, without dropout or gradient."""
    import torch

    device, training = next(model.parameters()).device, model.training
    given = {name: value.to(device) if hasattr(value, "to") else value for name, value in inputs.items()}
    model.eval()
    with torch.no_grad():
        logits = model(**given, use_cache=False).logits[0].float()
    model.train(training)
    return logits


def _mask(*arguments: Any, attention_mask: Any = None, allow_is_causal_skip: bool = True, **options: Any) -> Any:
    """As PyTorch's attention wants it; none where transformers saw rows one after the other, which it may not skip."""
    from transformers.masking_utils import sdpa_mask

    if attention_mask is None and not allow_is_causal_skip:
        return None
    return sdpa_mask(*arguments, attention_mask=attention_mask, allow_is_causal_skip=allow_is_causal_skip, **options)


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float | None = None,
    dropout: float = 0.0,
    sequence_lengths: list[int] | None = None,
    **options: Any,
) -> tuple[Any, None]:
    """Scaled dot-product attention for transformers; of rows one after the other when their lengths are given.

    `query`, `key` and `value` are (1, heads, tokens, size) then, the result is (1, tokens, heads, size).
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if sequence_lengths is None:
        attended, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
        return attended, None
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1)
    window = options.get("sliding_window")
    together = max(sequence_lengths) <= LONGEST_PLAIN
    attend_rows = _rows_side_by_side if together and len(sequence_lengths) > 1 else _row_by_row
    return attend_rows(query, key, value, sequence_lengths, scaling, dropout, window).transpose(1, 2), None


def _row_by_row(
    query: Any, key: Any, value: Any, lengths: list[int], scaling: float | None, dropout: float, window: int | None
) -> Any:
    """(1, heads, tokens, size): each row attended to by itself. Nothing is computed for padding."""
    import torch

    rows = zip(query.split(lengths, dim=2), key.split(lengths, dim=2), value.split(lengths, dim=2), strict=True)
    return torch.cat([_causal(*row, scaling, dropout, window) for row in rows], dim=2)


def _rows_side_by_side(
    query: Any, key: Any, value: Any, lengths: list[int], scaling: float | None, dropout: float, window: int | None
) -> Any:
    """The same in one call for all rows, padded for attention alone: quicker for short rows."""
    import torch

    count, longest = len(lengths), max(lengths)
    places = torch.cat([torch.arange(length) + row * longest for row, length in enumerate(lengths)]).to(query.device)

    def padded(flat: Any) -> Any:
        heads, size = flat.shape[1], flat.shape[3]
        empty = flat.new_zeros(count * longest, heads, size)
        return empty.index_copy(0, places, flat[0].transpose(0, 1)).view(count, longest, heads, size).transpose(1, 2)

    attended = _causal(padded(query), padded(key), padded(value), scaling, dropout, window)
    heads, size = attended.shape[1], attended.shape[3]
    return attended.transpose(1, 2).reshape(count * longest, heads, size)[places].transpose(0, 1)[None]


def _causal(query: Any, key: Any, value: Any, scaling: float | None, dropout: float, window: int | None) -> Any:
    """Causal attention within each row of the batch, over the last `window` tokens where there is one."""
    import torch

    tokens = query.shape[2]
    mask = None
    if window is not None and tokens > window:
        distance = torch.arange(tokens, device=query.device)[:, None] - torch.arange(tokens, device=query.device)
        mask = (distance >= 0) & (distance < window)
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=dropout, is_causal=mask is None, scale=scaling
    )


def flat_inputs(rows: list[list[int]]) -> dict[str, Any]:
    """Token ids of rows as the model's inputs for one long row: input_ids and position_ids are (1, tokens).

    `packed_seq_lengths` says the same as `sequence_lengths` to Unsloth's own attention on GPUs.
    """
    import torch

    lengths = [len(row) for row in rows]
    return {
        "input_ids": torch.tensor([[token for row in rows for token in row]]),
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None],
        "sequence_lengths": lengths,
        "packed_seq_lengths": torch.tensor(lengths, dtype=torch.int32),
    }
