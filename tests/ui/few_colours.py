"""A picture of a page in few colours, so that it stays small: those that fill most of it exactly, the rest near."""

from __future__ import annotations

import numpy as np
from PIL import Image

COLOURS = 256
EXACT = 160  # of them, the most frequent: surfaces, texts and lines keep their colours


def few_colours(image: Image.Image) -> Image.Image:
    """The picture with a palette of at most 256 colours."""
    pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    codes = pixels.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    found, counts = np.unique(codes, return_counts=True)
    frequent = found[np.argsort(-counts)[:EXACT]]
    others = pixels[~np.isin(codes, frequent)]
    palette = [np.stack([frequent >> 16, frequent >> 8 & 255, frequent & 255], axis=1).astype(np.uint8)]
    if len(others):
        rest = Image.fromarray(others[None]).quantize(COLOURS - EXACT, Image.Quantize.MAXCOVERAGE)
        palette.append(np.array(rest.getpalette(), np.uint8).reshape(-1, 3)[: COLOURS - EXACT])
    holder = Image.new("P", (1, 1))
    holder.putpalette(np.concatenate(palette).tobytes())
    return image.convert("RGB").quantize(palette=holder, dither=Image.Dither.NONE)
