"""Animations as GIF files that any browser shows; the same frames give the same bytes."""

from __future__ import annotations

from matplotlib.animation import PillowWriter
from PIL import Image

FRAMES_PER_SECOND, PALETTE_SIZE = 8, 64


class Gif(PillowWriter):
    """Writes a matplotlib animation as a GIF, with one palette for all frames.

    One palette prevents flicker and keeps the file small.

    Args:
        comment: Text that is stored in the file.

    Examples:
        >>> from stablenets.plotting.gif import Gif
        >>> writer = Gif("drawn by the docs")  # animation.save("depth.gif", writer=writer)
    """

    _frames: list[Image.Image]  # of PillowWriter, whose stubs leave it out

    def __init__(self, comment: str) -> None:
        super().__init__(fps=FRAMES_PER_SECOND)
        self.comment = comment

    def finish(self) -> None:
        """Write the file; matplotlib calls this after the last frame."""
        # MAXCOVERAGE keeps white pixels white.
        palette = self._frames[-1].quantize(PALETTE_SIZE, Image.Quantize.MAXCOVERAGE)
        first, *others = [
            frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self._frames
        ]
        first.save(
            self.outfile,
            save_all=True,
            append_images=others,
            duration=round(1000 / self.fps),
            loop=0,
            comment=self.comment,
        )
