"""One of several processes, of which the second finds memory full in its third step.

accelerate launch --cpu --num_processes 2 -m tests.trainer.faulty_process SPEC.yaml
"""

from __future__ import annotations

import os
import sys
from typing import Any

from trainer.distributed import main
from trainer.loop import SafeLoop

if __name__ == "__main__":
    if os.environ["RANK"] == "1":
        train = SafeLoop.training_step

        def full_at_the_third(self: Any, *arguments: Any, **options: Any) -> Any:
            if self.state.global_step == 2:
                raise RuntimeError("CUDA out of memory. Tried to allocate more than there is.")
            return train(self, *arguments, **options)

        SafeLoop.training_step = full_at_the_third  # type: ignore[method-assign]
    sys.exit(main(sys.argv[1:]))
