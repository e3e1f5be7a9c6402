"""Find the copies among the pictures of the six styles, write their table, and show the pairs around the threshold.

python benchmarks/icon_copies.py --source results/illustrations --sheet results/copies.png
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from tqdm import tqdm

from fcr_core.data.icons import selection
from fcr_core.data.icons.copies import SIDE, SQUARE, THRESHOLD, by_precedence, copies_among, near_pairs, pixels_of
from fcr_core.data.icons.selection import Picture, captioned
from fcr_core.data.icons.sets import draw
from fcr_core.jobs.files import replacing

TABLE = Path(selection.__file__).with_name("copies.txt")
HEAD = f"""# A picture that is left out = the picture that it repeats. Written by benchmarks/icon_copies.py.
# At {SIDE} px they differ by at most {THRESHOLD:g} of 255 grey levels in the square of {SQUARE} px where they differ most.
"""
# Of a contact sheet: side of a picture, pairs in a row, height of a caption.
SHOWN, COLUMNS, TEXT = 72, 7, 36


def sheet(pairs: list[tuple[int, int, float]], pictures: list[Picture]) -> Image.Image:
    """Draw pairs side by side, with their names and how far they differ."""
    width, height = 2 * SHOWN + 60, SHOWN + TEXT
    made = Image.new("RGB", (COLUMNS * width, -(-len(pairs) // COLUMNS) * height), "white")
    pen = ImageDraw.Draw(made)
    for i, (later, earlier, differs) in enumerate(pairs):
        left, top = i % COLUMNS * width, i // COLUMNS * height
        for j, index in enumerate((earlier, later)):
            made.paste(draw(pictures[index].path, SHOWN), (left + j * SHOWN, top))
            pen.text((left, top + SHOWN + 11 * j), pictures[index].key[:34], "black")
        pen.text((left + 2 * SHOWN + 4, top + 20), f"{differs:.1f}", "red")
    return made


def main(args: argparse.Namespace) -> None:
    pictures = by_precedence(captioned(args.source))
    pixels = pixels_of(tqdm(pictures, unit="picture", disable=None))
    found = copies_among(pictures, pixels)
    with replacing(TABLE) as file:
        file.write_text(HEAD + "".join(f"{later} = {kept}\n" for later, kept in sorted(found.items())), encoding="utf-8")
    if args.sheet:
        low, high = args.between
        around = [
            pair for pair in near_pairs(pixels) if low <= pair[2] < high and pictures[pair[0]].group != pictures[pair[1]].group
        ]
        chosen = np.random.default_rng(0).permutation(len(around))[: args.pairs]
        sheet(sorted((around[i] for i in chosen), key=lambda pair: pair[2]), pictures).save(args.sheet)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder of the six tarballs")
    parser.add_argument("--sheet", type=Path, help="picture to write: pairs that are copies or nearly so")
    parser.add_argument("--between", type=float, nargs=2, default=(8, 32), help="differences of the pairs that are shown")
    parser.add_argument("--pairs", type=int, default=98, help="number of pairs that are shown")
    main(parser.parse_args())
