"""The perceptual distance of pictures and their twins."""

import numpy as np
import pytest
from PIL import Image

from fcr_core.features.stlpips_alex import SMALLEST, distance

RNG = np.random.default_rng(0)


def picture(width: int, height: int | None = None) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height or width, width, 3), dtype=np.uint8))


def test_equal_pictures_have_distance_0_down_to_the_smallest():
    images = [picture(SMALLEST, 40), picture(SMALLEST, 40)]
    assert distance(images, images) == pytest.approx([0, 0], abs=1e-6)
    assert distance(images[:1], images[1:])[0] > 0.01


@pytest.mark.parametrize(
    "images, twins, says",
    [
        ([picture(32)] * 2, [picture(32)], "2 images and 1 twins: each image needs its own"),
        ([], [], "0 images and 0 twins"),
        ([picture(32)], [picture(64)], r"images of several sizes: \[\(32, 32\), \(64, 64\)\]"),
        ([picture(16)], [picture(16)], "needs images of at least 21 x 21 pixels, not 16 x 16"),
    ],
)
def test_pictures_that_cannot_be_compared_are_refused(images, twins, says):
    with pytest.raises(ValueError, match=f"st_lpips:? .*{says}" if "needs images" not in says else says):
        distance(images, twins)
