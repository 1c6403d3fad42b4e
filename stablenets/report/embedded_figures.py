"""The figures of papers and comparisons as small images inside the HTML report."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

FIGURE_WIDTH = 1100  # of a figure, in pixels
PALETTE_SIZE = 256  # the most that a PNG with a palette has: maps of numbers need them


def figure_key(path: Path) -> str:
    """The name of a figure in the data: paper/profile/name."""
    return "/".join([*path.parts[-3:-1], path.stem])


def embedded_figure(path: Path) -> dict[str, Any]:
    """A figure as a small PNG in the page: its address, and the size at which it is shown."""
    with Image.open(path) as image:
        shown = image.convert("RGB")
    if shown.width > FIGURE_WIDTH:
        height = round(shown.height * FIGURE_WIDTH / shown.width)
        shown = shown.resize((FIGURE_WIDTH, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.quantize(PALETTE_SIZE).save(buffer, "PNG", optimize=True)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return {
        "uri": f"data:image/png;base64,{encoded}",
        "width": shown.width,
        "height": shown.height,
    }
