"""Memory that the machine has handed out before the clock starts.

A virtual machine gives its free memory back to its host, and fetching it again costs far more than using it: on one, the first
307 MB that a read filled took 0.45 s longer than the same memory a moment later. Whichever way came after a pause paid for that.
"""

from __future__ import annotations

import numpy as np

COPIES = 3
"""Of the pixels: about what the ways of the tutorial hold at once, in lists, in arrays and in the page cache."""
MOST_BYTES = 1 << 30
PAGE_BYTES = 4096


def hand_out_memory(pixel_bytes: int) -> None:
    """Touch as much memory as a job on so many bytes of pixels will use, and free it again."""
    memory = np.empty(min(COPIES * pixel_bytes, MOST_BYTES), np.uint8)
    memory[::PAGE_BYTES] = 1
