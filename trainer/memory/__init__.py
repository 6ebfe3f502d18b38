"""How much memory a training run takes, said before it starts; what fits a card; what a run may take; what it took.

    shape = shape_of("Qwen/Qwen3-8B", workspace)      from its files, else as published, else None
    setting = setting_for(spec, hardware)             backend, precision and the like as the run will choose them
    estimate(shape, spec, setting)                    MemoryEstimate: parts in bytes, each with its reason
    fit(shape, spec, setting, free_bytes)             Fit: the changed options, and in words what was given up
    free_for_run(hardware, memory_limit_gb)           bytes to hold the estimate against
    run_limit(gpu, memory_limit_gb)                   Limit: bytes that a run may take, and the fraction for PyTorch

Nothing here imports torch: the page asks with every slider.
"""
