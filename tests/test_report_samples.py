import base64
import io

import numpy as np
from PIL import Image

from fcr_core.report.samples import LARGEST, ImagePool


def written(path, side):
    Image.fromarray(np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)).save(path)
    return path


def decoded(uri: str) -> bytes:
    return base64.b64decode(uri.removeprefix("data:image/png;base64,"))


def test_an_image_is_stored_once_and_byte_for_byte(tmp_path):
    pool, file = ImagePool(), written(tmp_path / "a.png", 64)
    other = written(tmp_path / "b.png", 65)
    copy = tmp_path / "copy.png"
    copy.write_bytes(file.read_bytes())
    assert [pool.add(path) for path in (file, other, copy)] == [0, 1, 0]
    assert decoded(pool.uris[0]) == file.read_bytes() and len(pool.uris) == 2


def test_a_large_image_is_stored_as_small_as_it_is_shown(tmp_path):
    pool, file = ImagePool(), written(tmp_path / "large.png", 512)
    pool.add(file)
    assert Image.open(io.BytesIO(decoded(pool.uris[0]))).size == (LARGEST, LARGEST)
