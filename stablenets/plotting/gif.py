"""An animation as a file that any browser exposes_states: the same frames are the same bytes."""

from __future__ import annotations

from matplotlib.animation import PillowWriter
from PIL import Image

FRAMES_A_SECOND, COLOURS = 8, 64


class Gif(PillowWriter):
    """One palette for all frames, so that nothing flickers and the file is small; `comment` stands
    inside.
    """

    def __init__(self, comment: str) -> None:
        super().__init__(fps=FRAMES_A_SECOND)
        self.comment = comment

    def finish(self) -> None:
        palette = self._frames[-1].quantize(
            COLOURS, Image.Quantize.MAXCOVERAGE
        )  # which keeps white white
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
