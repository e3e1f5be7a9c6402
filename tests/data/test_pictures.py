"""Pictures of every mode that people have, read as RGB as a viewer shows them, or refused by the name of their file."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from fcr_core.data.pictures import Pictures, read_rgb
from fcr_core.data.tar_shards import members_of

from .test_laion import bomb
from .test_official import jpeg, shard, write

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)
WHITE, RED, CLEAR = (255, 255, 255), (200, 10, 20), (0, 0, 0, 0)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def read(tmp_path, content: bytes, name: str = "a.png") -> Image.Image:
    """The same picture from a folder and from a shard."""
    image = read_rgb(write(tmp_path / name, content))
    members_of.cache_clear()
    assert read_rgb(shard(tmp_path / "s.tar", {f"b/{name}": content}) / "b" / name).tobytes() == image.tobytes()
    assert image.mode == "RGB"
    return image


def greys(image: Image.Image) -> np.ndarray:
    array = np.asarray(image)
    assert (array == array[..., :1]).all()
    return array[..., 0]


@pytest.mark.parametrize("kind, mode", [("PNG", "<u2"), ("TIFF", "<u2"), ("TIFF", ">u2")])
def test_grey_of_sixteen_bits_keeps_its_range(tmp_path, kind, mode):
    deep = Image.fromarray((RAMP.astype(np.uint16) * 257).astype(mode))
    assert deep.mode.startswith("I;16")
    assert (greys(read(tmp_path, saved(deep, kind), f"a.{kind.lower()}")) == RAMP).all()


def tiff(values: np.ndarray, bits: int, photometric: int) -> bytes:
    """An uncompressed little-endian TIFF of one grey strip; `values` are packed bytes."""
    height, width = 16, 16
    entries = [(256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8), (277, 3, 1),
               (278, 3, height), (279, 4, len(values))]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries
    )
    return b"II*\0" + struct.pack("<I", 8 + len(values)) + bytes(values) + directory + struct.pack("<I", 0)


def test_tiff_of_twelve_bits_and_with_white_as_zero_are_read_as_they_look(tmp_path):
    inverted = (65535 - RAMP.astype("<u2") * 257).tobytes()
    assert (greys(read(tmp_path, tiff(inverted, 16, 0), "a.tif")) == RAMP).all()
    first, second = (RAMP.astype(np.uint32).reshape(-1, 2).T * 4095 // 255).astype(np.uint16)
    packed = np.stack([first >> 4, ((first & 15) << 4) | (second >> 8), second & 255], axis=1).astype(np.uint8)
    assert (greys(read(tmp_path, tiff(packed.tobytes(), 12, 1), "a.tif")) == RAMP).all()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_of_16_bits(values: np.ndarray, colour: int, transparent: bytes = b"") -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour, 0, 0, 0)
    trns = chunk(b"tRNS", transparent) if transparent else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + trns + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_colours_of_sixteen_bits_keep_their_range(tmp_path):
    colours = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=-1)
    assert (np.asarray(read(tmp_path, png_of_16_bits(colours.astype(np.uint16) * 257, 2))) == colours).all()
    alpha = np.dstack([colours, np.full((16, 16), 255)])
    assert (np.asarray(read(tmp_path, png_of_16_bits(alpha.astype(np.uint16) * 257, 6))) == colours).all()


def test_a_transparent_grey_of_sixteen_bits_is_white(tmp_path):
    content = png_of_16_bits(RAMP.astype(np.uint16) * 257, 0, transparent=struct.pack(">H", 7 * 257))
    assert (greys(read(tmp_path, content)) == np.where(RAMP == 7, 255, RAMP)).all()


def test_transparency_of_every_kind_lies_on_white(tmp_path):
    art = Image.new("RGBA", (4, 4), CLEAR)
    art.paste((*RED, 255), (0, 0, 2, 4))
    palette = art.convert("RGB").quantize(4)
    palette.info["transparency"] = palette.getpixel((3, 3))
    faint = Image.new("LA", (4, 4), (0, 0))
    faint.paste((100, 128), (0, 0, 2, 4))
    forms = {
        "rgba.png": saved(art, "PNG"),
        "palette.png": saved(palette, "PNG", transparency=palette.info["transparency"]),
        "alphas.png": saved(art.quantize(8), "PNG"),
        "art.webp": saved(art, "WEBP", lossless=True),
        "art.gif": saved(art, "GIF"),
        "art.tif": saved(art, "TIFF"),
    }
    for name, content in forms.items():
        image = read(tmp_path, content, name)
        assert (image.getpixel((0, 0)), image.getpixel((3, 3))) == (RED, WHITE), name
    image = read(tmp_path, saved(faint, "PNG"), "grey.png")
    assert image.getpixel((3, 3)) == WHITE and image.getpixel((0, 0)) == pytest.approx((177,) * 3, abs=1)


@pytest.mark.parametrize("mode, value", [("1", 1), ("1", 0), ("L", 77), ("P", 0), ("CMYK", (55, 245, 235, 0)), ("YCbCr", None)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF", "JPEG"])
def test_other_modes_look_as_they_are(tmp_path, mode, value, kind):
    image = Image.new("RGB", (16, 16), RED).convert(mode) if value is None else Image.new(mode, (16, 16), value)
    if mode == "P":
        image.putpalette([*RED, *WHITE])
    try:
        content = saved(image, kind, **({"quality": 95} if kind == "JPEG" else {}))
    except (OSError, ValueError):
        pytest.skip(f"Pillow saves no {kind} of mode {mode}")
    expected = image.convert("RGB").getpixel((8, 8))
    assert read(tmp_path, content, f"a.{kind.lower()}").getpixel((8, 8)) == pytest.approx(expected, abs=3)


def cmyk_without_mark() -> bytes:
    marked = saved(Image.new("CMYK", (16, 16), (55, 245, 235, 0)), "JPEG")
    start = marked.index(b"\xff\xeeAdobe"[:2])
    return marked[:start] + marked[start + 2 + struct.unpack(">H", marked[start + 2 : start + 4])[0] :]


def test_the_ink_of_a_jpeg_is_read_by_adobes_rule_or_not_at_all(tmp_path):
    marked = saved(Image.new("CMYK", (16, 16), (55, 245, 235, 0)), "JPEG", quality=95)
    assert b"Adobe" in marked and read(tmp_path, marked, "a.jpg").getpixel((8, 8)) == pytest.approx(RED, abs=3)
    with pytest.raises(ValueError, match=r"a\.jpg: .*CMYK JPEG without Adobe's mark .*save it as RGB"):
        read_rgb(write(tmp_path / "a.jpg", cmyk_without_mark()))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_stands_upright(tmp_path, turn, kind):
    seen = np.zeros((16, 32), dtype=np.uint8)
    seen[:8, :8] = 255
    stored = {1: seen, 2: seen[:, ::-1], 3: seen[::-1, ::-1], 4: seen[::-1], 5: seen.T, 6: np.rot90(seen, 1),
              7: np.rot90(seen, 2).T, 8: np.rot90(seen, -1)}[turn]  # fmt: skip
    exif = Image.Exif()
    exif[274] = turn
    content = saved(Image.fromarray(np.ascontiguousarray(stored)).convert("RGB"), kind, exif=exif)
    image = read(tmp_path, content, f"a.{kind.lower()}")
    assert image.size == (32, 16)
    assert np.abs(greys_near(image).astype(int) - seen).max() < 60


def greys_near(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"))


def test_sixteen_bits_are_turned_too(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    stored = np.zeros((32, 16), dtype=np.uint16)
    stored[:8] = 65535
    image = read(tmp_path, saved(Image.fromarray(stored), "PNG", exif=exif))
    assert image.size == (32, 16) and image.getpixel((31, 0)) == WHITE and image.getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_stands_for_a_moving_picture(tmp_path, kind):
    first, second = Image.new("RGB", (16, 16), RED), Image.new("RGB", (16, 16), "blue")
    options = {"lossless": True} if kind == "WEBP" else {}
    content = saved(first, kind, save_all=True, append_images=[second], **options)
    assert Image.open(io.BytesIO(content)).n_frames == 2
    assert read(tmp_path, content, f"a.{kind.lower()}").getpixel((8, 8)) == RED


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8))
BROKEN = {
    "cut.jpg": (jpeg(0)[: len(jpeg(0)) // 2], "cut off or broken"),
    "cut.png": (
        saved(NOISE, "PNG")[:900],
        "cut off",
    ),
    "page.jpg": (b"<html>404</html>", "not a picture, it begins with b'<html>404</html>'"),
    "empty.png": (b"", "an empty file"),
    "head.jpg": (b"\0" + jpeg(0)[1:], "not a picture"),
    "bomb.png": (bomb(20_000, 10_000), "too many pixels: more than 178,956,970"),
    "float.tif": (saved(Image.new("F", (4, 4), 0.5), "TIFF"), "floating-point numbers, whose range is not known"),
    "int.tif": (saved(Image.new("I", (4, 4), 70_000), "TIFF"), "32-bit integers, whose range is not known"),
    "noise.gif": (b"GIF89a" + bytes(range(200, 250)), "picture"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_whole_picture_is_refused_by_name(tmp_path, name):
    content, why = BROKEN[name]
    file = write(tmp_path / name, content)
    members_of.cache_clear()
    member = shard(tmp_path / "s.tar", {f"b/{name}": content}) / "b" / name
    for path in (file, member):
        with pytest.raises(ValueError, match=rf"^{path}: .*{why.replace('(', '.')}") as raised:
            Pictures([str(path)], 8)[0]
        assert "\n" not in str(raised.value)


def test_any_cut_of_a_picture_is_refused_by_name(tmp_path):
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"):
        noise = np.random.default_rng(1).integers(0, 255, (32, 32, 3), dtype=np.uint8)
        whole = saved(Image.fromarray(noise), kind)
        for cut in range(1, len(whole) - 64, max(1, len(whole) // 23)):
            with pytest.raises(ValueError, match=r"a\.img: "):
                read_rgb(write(tmp_path / "a.img", whole[:cut]))


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.jpg"):
        read_rgb(tmp_path / "gone.jpg")
