"""Cuts the goldens of `images` down to what is committed: without the large float copies, and with
224-pixel bytes of one image only.

    python make/trim_images.py FULL/expected.safetensors data/images/expected.safetensors

Needs safetensors, numpy.
"""

import sys

from safetensors.numpy import load_file, save_file

LARGE_OF = "tiny_5x7.png"

full = load_file(sys.argv[1])
kept = {
    name: values
    for name, values in full.items()
    if not name.endswith("/f32_224")
    and not (name.endswith("/u8_224") and not name.startswith(LARGE_OF))
    and name != "exact_224.png/decoded_rgb_u8"
}
save_file(kept, sys.argv[2])
