"""Every constant of the estimate, each with where it comes from. None belongs to one model.

Bytes of a value: 2 in bf16 and fp16, 4 in fp32. What a layer keeps for its backward pass is in trainer/memory/layer.py.
"""

from __future__ import annotations

MIB = 1024**2

# NF4 with double quantisation (Dettmers et al. 2023, section 3): 4 bits for a weight; for each block of 64 weights a
# scale of 8 bits; for each 256 of these scales one of 32 bits: 0.5 + 1/64 + 4/(64 · 256) bytes.
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)

# Both backends train an adapter in 32 bit on a 16-bit model (PEFT's autocast_adapter_dtype, Unsloth's mixed
# precision): optimiser steps are smaller than 16 bit can hold. Autocast keeps a 16-bit copy for the pass.
TRAINED_BYTES = 4
GRADIENT_BYTES = 4

# Adam's two moments: 4 bytes each; as bitsandbytes' 8-bit blocks, 1 byte each and a 4-byte scale for each 256 values
# (Dettmers et al. 2022). Paged ones lie in system memory, and visit the card in the optimiser's step, when the
# activations are gone.
ADAM_BYTES = 8.0
ADAM_8BIT_BYTES = 2 * (1 + 4 / 256)

# Bytes of a logit where all of them are held (plain transformers, torch's cross-entropy), at the peak in the backward
# pass: the saved log-softmax, the gradient of the picked values and that of the logits, in 32 bit each. The forward
# pass has as many: logits as 32 bit, their shifted copy, the log-softmax.
FULL_LOGIT_BYTES = 12
# Unsloth before its chunked loss (2024): 16-bit logits whose gradient overwrites them, and the 32-bit copy that
# accelerate's mixed precision makes of a model's outputs.
IN_PLACE_LOGIT_BYTES = 6
# TRL's chunked_nll, where the output layer is trained too: 256 rows of logits at a time, computed again in the backward
# pass. Ten blocks of 32 bit: logits and log-softmax, its exponential and products for the entropy that TRL reports,
# masks' products, and the gradients.
NLL_CHUNK_ROWS = 256
NLL_CHUNK_BYTES = 40
# The loss over an output layer that isn't trained (trainer/frozen_head.py), as many rows at a time and made once:
# logits in 16 and in 32 bit, and their log-softmax in 32 bit, which becomes the gradient in place.
FROZEN_CHUNK_BYTES = 10
# TRL's _ChunkedLogProbFunction: tiles of 2,048 rows × 8,192 words, each with the product in 16 bit and logits,
# probabilities, their gradient and two products of these in 32 bit; its gradient of the hidden values is 32 bit.
LOGPROB_TILE_ROWS = 2048
LOGPROB_TILE_WORDS = 8192
LOGPROB_TILE_BYTES = 22
# Unsloth's chunked loss counts 16 bytes a logit, and takes chunks until that stays below UNSLOTH_CE_LOSS_TARGET_GB;
# unset, it would take half of what is free on the whole card, up to 4 GiB, whatever the run's limit. A thirty-second
# of the card, between these two, is 250 MB on 8 GB: 120 tokens of a vocabulary of 128,000.
UNSLOTH_LOGIT_BYTES = 16
LOSS_SHARE = 1 / 32
LOSS_BUDGETS = (250_000_000, 2_000_000_000)
LOSS_BUDGET = 500_000_000

# Unsloth moves checkpoints of more than 2 MiB to system memory, through two buffers on the card.
OFFLOAD_ABOVE = 2 * MIB
OFFLOAD_BUFFERS = 2

# The CUDA context with the kernels that torch, cuBLAS, bitsandbytes and Triton load: 0.4 to 0.6 GB on cards since
# Ampere; cuBLAS' workspace is 8 MiB, on Hopper 32 MiB (torch's notes on CUBLAS_WORKSPACE_CONFIG).
CUDA_CONTEXT = 500_000_000
CUBLAS_WORKSPACE = 32 * MIB
# Python with torch, transformers, peft and trl imported, measured: 0.94 GB.
CPU_LIBRARIES = 950_000_000

# PyTorch's allocator takes memory in steps of 2 or 20 MiB and splits blocks; what is cut off and not used again is a
# few per cent of what comes and goes.
FRAGMENTATION = 0.05
# On a CPU the C library's heap keeps far more of what was freed. Measured as resident memory, LoRA on SmolLM2-135M with
# 4 rows of 512 tokens took 5.4 GB where 2.2 GB came and went beside 1.3 GB that stayed (another 87 %), on 8 of its
# layers 2.2 GB for 0.6 beside 1.0 (another 100 %). With every block given back at once (MALLOC_MMAP_THRESHOLD_=100000)
# the latter took 1.66 GB, as counted: 1.64 GB.
CPU_FRAGMENTATION = 0.9

# DoRA builds the adapted matrix to measure its columns: base, product and sum in 32 bit, and what their norm keeps;
# measured for the largest matrix of a layer: 14.3 bytes a value.
DORA_MATRIX_BYTES = 15

# What an estimate may be off by: a share of it is kept free before "it fits" is said.
MARGIN_SHARE = 0.05
