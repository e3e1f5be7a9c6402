"""LAION metadata to links, and links to shards, against a real server on loopback; pictures are Twemoji as JPEG."""

import hashlib
import io
import json
import re
import signal
import struct
import subprocess
import sys
import tarfile
import threading
import zlib
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import webdataset
from PIL import Image

from fcr_core.data import load
from fcr_core.data.fetch import Fetcher
from fcr_core.data.image_check import checked
from fcr_core.data.laion import Filters, wanted_rows
from fcr_core.data.prepared import images_of, prepare
from fcr_core.data.rejected import Rejected
from fcr_core.data.shards import download_shards

from ..web import LOOPBACK, Page, Web
from ..workspace import ROOT, contents
from .test_fetch import closed_port

FILTERS = Filters(min_aesthetic=5.0, min_size=48, max_unsafe=0.1, max_watermark=0.5)
EMOJI = load("twemoji")[:8]


@pytest.fixture
def web():
    served = Web()
    yield served
    served.close()


def encoded(index: int, size: tuple[int, int] = (64, 64), form: str = "JPEG") -> bytes:
    file = io.BytesIO()
    EMOJI[index].image().resize(size).save(file, form)
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def metadata(urls: list[str], **columns) -> pd.DataFrame:
    row = {"TEXT": "A  Smile", "WIDTH": 64.0, "HEIGHT": 64.0, "similarity": 0.3, "hash": 1, "punsafe": 0.01, "pwatermark": 0.1}
    return pd.DataFrame({"URL": urls} | row | {"AESTHETIC_SCORE": 6.0} | columns)


def test_rows_are_filtered_and_each_one_left_out_is_counted_once(tmp_path):
    good = metadata(["http://x/0", "http://x/1"])
    bad = metadata(
        [None, "http://x/3", "http://x/4", "http://x/5", "http://x/6", "http://x/7", "http://x/8", "http://x/0"],
        TEXT=["t", " ", "t", "t", "t", "t", "t", "t"],
        WIDTH=[64, 64, 64, 47, float("nan"), 64, 64, 64],
        punsafe=[0, 0, 0, 0, 0, 0.2, 0, 0],
        pwatermark=[0, 0, 0, 0, 0, 0, float("nan"), 0],
        AESTHETIC_SCORE=[6, 6, 4.9, 6, 6, 6, 6, 6],
    )
    good.to_parquet(tmp_path / "part-0.parquet")
    bad.to_parquet(tmp_path / "part-1.parquet")
    rows, left_out = wanted_rows(tmp_path, FILTERS, seed=0)
    assert sorted(rows["url"]) == ["http://x/0", "http://x/1"]
    assert +left_out == Counter(no_url=1, no_caption=1, low_score=1, too_small=2, unsafe=1, watermark=1, duplicate_url=1)


def test_columns_are_found_in_the_spellings_of_the_wild(tmp_path):
    names = {
        "URL": "url",
        "TEXT": "caption",
        "WIDTH": "original_width",
        "HEIGHT": "original_height",
        "AESTHETIC_SCORE": "aesthetic",
    }
    metadata(["http://x/0"]).rename(columns=names).assign(sha256="ab").to_parquet(tmp_path / "0.parquet")
    rows, _ = wanted_rows(tmp_path, FILTERS, seed=0)
    assert rows.to_dict("records") == [{"url": "http://x/0", "caption": "A  Smile", "sha256": "ab"}]


def test_the_order_of_links_depends_on_the_seed_alone(tmp_path):
    metadata([f"http://x/{i}" for i in range(50)]).to_parquet(tmp_path / "0.parquet")
    orders = [wanted_rows(tmp_path, FILTERS, seed)[0]["url"].tolist() for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2] and sorted(orders[0]) == sorted(orders[2])


def test_metadata_of_another_kind_are_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=rf"{tmp_path}: holds no metadata"):
        wanted_rows(tmp_path, FILTERS, seed=0)
    file = tmp_path / "0.parquet"
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 7\n")
    with pytest.raises(ValueError, match=rf"{file}: not a parquet file \(a Git LFS pointer"):
        wanted_rows(tmp_path, FILTERS, seed=0)
    metadata(["http://x/0"]).drop(columns="punsafe").to_parquet(file)
    with pytest.raises(ValueError, match=rf"{file}: no column punsafe .in any case.; has URL, TEXT"):
        wanted_rows(tmp_path, FILTERS, seed=0)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_an_image_is_kept_as_jpeg_with_its_smaller_side_shrunk(form):
    image = checked(encoded(0, (128, 96), form), side=48)
    assert image.size == (64, 48) == Image.open(io.BytesIO(image.jpeg)).size and image.original_size == (128, 96)


@pytest.mark.parametrize(
    "data, why",
    [
        (b"<!DOCTYPE html><html>gone</html>", "not_an_image"),
        (encoded(0, form="GIF"), "not_an_image"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "not_an_image"),
        (b"", "not_an_image"),
        (bomb(20_000, 10_000), "too_many_pixels"),
        (bomb(60_000, 60_000), "too_many_pixels"),
        (bomb(8_000, 7_000), "too_many_pixels"),
        (encoded(0)[:-200], "truncated"),
        (bomb(64, 64), "truncated"),
        (encoded(0, (64, 47)), "too_small"),
    ],
)
def test_what_is_no_good_image_is_rejected_for_its_reason(data, why):
    with pytest.raises(Rejected) as raised:
        checked(data, side=48)
    assert raised.value.reason == why


@pytest.fixture
def bad_web(web):
    """Two links that are bad in each way, among good ones."""
    pages = {
        "html": Page(b"<html>gone</html>", headers={"Content-Type": "image/jpeg"}),
        "bomb": Page(bomb(20_000, 10_000)),
        "truncated": Page(encoded(3)[:-200]),
        "cut": Page(encoded(3), cut=True),
        "private": Page(status=302, headers={"Location": "http://10.0.0.1/latest/meta-data"}),
        "other-loopback": Page(status=302, headers={"Location": web.url("/good0").replace("127.0.0.1", "127.0.0.2")}),
        "missing": Page(status=404),
        "optout": Page(encoded(4), headers={"X-Robots-Tag": "noai"}),
        "hash": Page(encoded(5)),
        "large": Page(encoded(0) + b"\0" * 100_000),
    }
    web.pages = {f"/{name}": page for name, page in pages.items()}
    web.pages |= {f"/good{i}": Page(encoded(i)) for i in range(8)}
    return web


def links(web: Web) -> pd.DataFrame:
    urls = [web.url(path) for path in sorted(web.pages)] + [f"http://127.0.0.1:{closed_port()}/dead.jpg", web.url("/good7")]
    sums = [hashlib.sha256(web.pages["/" + url.rsplit("/")[-1]].body).hexdigest() if "/good" in url else None for url in urls]
    table = metadata(urls, TEXT=[f"Picture {url[-5:]}" for url in urls], sha256=sums)
    table.loc[table["URL"].str.endswith("/hash"), "sha256"] = "0" * 64
    return table


def test_bad_links_are_counted_by_reason_and_lose_no_good_one(bad_web, tmp_path):
    (tmp_path / "metadata").mkdir()
    links(bad_web).to_parquet(tmp_path / "metadata" / "0.parquet")
    rows, left_out = wanted_rows(tmp_path / "metadata", FILTERS, seed=0)
    fetcher = Fetcher(LOOPBACK, max_bytes=50_000, pause=0.01)
    counts = download_shards(rows, tmp_path / "out", fetcher.get, quota=100, side=48, workers=8, shard_rows=5)
    assert left_out["duplicate_url"] == 1
    assert counts == Counter(
        success=8, not_an_image=1, too_many_pixels=1, truncated=1, broken_connection=1, refused_address=2, http_404=1, robots=1,
        hash_mismatch=1, too_many_bytes=1, dead_host=1,
    )  # fmt: skip
    # A library that knows nothing of this project reads the shards.
    shards = [str(path) for path in sorted((tmp_path / "out").glob("*.tar"))]
    samples = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert len(samples) == 8 and all(re.fullmatch(r"\d{9}", sample["__key__"]) for sample in samples)
    for sample in samples:
        about, row = json.loads(sample["json"]), rows.iloc[int(sample["__key__"])]
        assert (about["url"], about["caption"], about["sha256"], about["status"]) == (
            row["url"],
            row["caption"],
            row["sha256"],
            "success",
        )
        assert Image.open(io.BytesIO(sample["jpg"])).size == (about["width"], about["height"]) == (48, 48)
        assert sample["txt"].decode() == row["caption"] and about["original_width"] == 64
    stats = [json.loads(path.read_text()) for path in sorted((tmp_path / "out").glob("*_stats.json"))]
    assert [entry["count"] for entry in stats] == [5, 5, 5, 4] and sum(entry["successes"] for entry in stats) == 8


def test_the_quota_takes_good_images_in_the_order_of_the_rows(bad_web, tmp_path):
    # The first rows answer last.
    order = [f"/good{i}" for i in range(8)]
    gate = threading.Event()
    bad_web.pages["/good3"].before = gate.set
    bad_web.pages["/good0"].before = lambda: gate.wait(10)
    rows = pd.DataFrame({"url": [bad_web.url(path) for path in order], "caption": order})
    fetcher = Fetcher(LOOPBACK, per_host=8)
    counts = download_shards(rows, tmp_path, fetcher.get, quota=3, side=48, workers=8, shard_rows=4)
    assert gate.is_set() and counts == Counter(success=3, over_quota=1)
    assert [sample["txt"] for sample in webdataset.WebDataset(str(tmp_path / "00000.tar"), shardshuffle=False)] == [
        b"/good0", b"/good1", b"/good2",
    ]  # fmt: skip
    assert not bad_web.asked["/good4"]


def test_a_shard_of_dead_hosts_only_is_not_recorded(tmp_path):
    rows = pd.DataFrame({"url": [f"http://127.0.0.1:{closed_port()}/{i}" for i in range(3)], "caption": "x"})
    with pytest.raises(ValueError, match="shard 0: none of 3 hosts answers; is there a network"):
        download_shards(rows, tmp_path, Fetcher(LOOPBACK).get, quota=3, side=48, shard_rows=3)
    assert not list(tmp_path.iterdir())
    assert download_shards(rows, tmp_path, Fetcher(LOOPBACK).get, quota=3, side=48) == Counter(dead_host=3)  # the last few


def test_a_fault_of_a_library_costs_one_image(tmp_path):
    bodies = {"http://x/0": encoded(0), "http://x/2": encoded(2)}
    rows = pd.DataFrame({"url": [f"http://x/{i}" for i in range(3)], "caption": "x"})
    assert download_shards(rows, tmp_path, bodies.__getitem__, quota=3, side=48) == Counter(success=2, error_KeyError=1)


def command(metadata_folder: Path, out: Path, images: int = 6) -> list[str]:
    options = {
        "images": images,
        "min-aesthetic": 5,
        "min-size": 48,
        "max-unsafe": 0.1,
        "max-watermark": 0.5,
        "seed": 0,
        "workers": 4,
    }
    arguments = [f"--{key}={value}" for key, value in options.items()]
    places = ["--metadata", str(metadata_folder), "--out", str(out), "--shard-rows", "4", "--allow-network", "127.0.0.1/32"]
    return [sys.executable, "-m", "workflow_scripts.download_laion", *arguments, *places]


def test_killed_between_shards_it_goes_on_there_and_ends_byte_identical(bad_web, tmp_path):
    (tmp_path / "metadata").mkdir()
    links(bad_web).to_parquet(tmp_path / "metadata" / "0.parquet")
    whole = subprocess.run(
        command(tmp_path / "metadata", tmp_path / "whole"), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert re.search(r"links tried: .*success 6.*", whole.stderr) and "left out: duplicate_url 1" in whole.stderr

    order = [url.removeprefix(bad_web.url("")) for url in wanted_rows(tmp_path / "metadata", FILTERS, seed=0)[0]["url"]]
    reached = next(i for i, path in enumerate(order) if i >= 4 and path in bad_web.pages)
    kill, never = threading.Event(), threading.Event()
    bad_web.pages[order[reached]].before = lambda: kill.set() or never.wait(60)
    running = subprocess.Popen(command(tmp_path / "metadata", tmp_path / "out"), cwd=ROOT, stderr=subprocess.DEVNULL)
    assert kill.wait(60)
    running.send_signal(signal.SIGKILL)
    running.wait()
    never.set()
    assert [path.name for path in (tmp_path / ".out.partial").glob("*.json")].count("00000_stats.json") == 1
    assert not (tmp_path / "out").exists()

    bad_web.pages[order[reached]].before = lambda: None
    bad_web.asked.clear()
    subprocess.run(command(tmp_path / "metadata", tmp_path / "out"), cwd=ROOT, capture_output=True, check=True)
    assert not set(bad_web.asked) & set(order[:4]) and bad_web.asked[order[reached]]
    assert contents(tmp_path / "out", "run.json") == contents(tmp_path / "whole", "run.json")
    assert not list(tmp_path.glob(".out.partial"))
    # Asked once more, it has nothing to do.
    bad_web.asked.clear()
    subprocess.run(command(tmp_path / "metadata", tmp_path / "out"), cwd=ROOT, capture_output=True, check=True)
    assert not bad_web.asked

    records = load("laion", source=tmp_path / "out")
    assert len(records) == 6 and {record.split for record in records} == {"train"}
    prepare(records, tmp_path / "set", "laion", size=32)
    assert images_of(tmp_path / "set", [records[-1].prompt_id])[0].size == (32, 32)


def test_nothing_is_downloaded_offline(bad_web, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    links(bad_web).to_parquet(tmp_path / "0.parquet")
    result = subprocess.run(command(tmp_path, tmp_path / "out"), cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1 and "error: HF_HUB_OFFLINE is set, so nothing is downloaded" in result.stderr
    assert not bad_web.asked


def test_shards_hold_no_time_and_no_user(bad_web, tmp_path):
    rows = pd.DataFrame({"url": [bad_web.url("/good0")], "caption": ["x"]})
    download_shards(rows, tmp_path, Fetcher(LOOPBACK).get, quota=1, side=48)
    with tarfile.open(tmp_path / "00000.tar") as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == ["000000000.jpg", "000000000.json", "000000000.txt"]
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(0, 0, 0, "")}


def test_one_file_of_metadata_stands_for_a_folder_and_stray_files_for_none(tmp_path):
    metadata(["http://x/0"]).to_parquet(tmp_path / "deep.PARQUET")
    for name in ("._deep.parquet", "part.parquet.tmp", "_SUCCESS", ".part.parquet.crc"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    assert len(wanted_rows(tmp_path, FILTERS, 0)[0]) == len(wanted_rows(tmp_path / "deep.PARQUET", FILTERS, 0)[0]) == 1
    with pytest.raises(ValueError, match=r"gone\.parquet: not a file"):
        wanted_rows(tmp_path / "gone.parquet", FILTERS, 0)


def test_numbers_as_text_and_text_as_bytes_or_numbers_are_read(tmp_path):
    rows = metadata(
        [b"http://x/0", b"http://x/1", None, b"http://x/3"],
        TEXT=[1984, 2001, 3, 4],
        punsafe=["0.01", " 0.02", "0.3", None],
        AESTHETIC_SCORE=["6.1", "", "6.3", "6.4"],
        WIDTH=["64", "64", "64", "None"],
    )
    rows.to_parquet(tmp_path / "0.parquet")
    wanted, left_out = wanted_rows(tmp_path, FILTERS, seed=0)
    assert wanted.to_dict("records") == [{"url": "http://x/0", "caption": "1984"}]
    assert +left_out == Counter(no_url=1, low_score=1, too_small=1)


def test_text_in_a_column_of_numbers_is_refused_by_file_and_column(tmp_path):
    metadata(["http://x/0", "http://x/1"], punsafe=["0.01", "unlikely"]).to_parquet(tmp_path / "0.parquet")
    with pytest.raises(ValueError, match=rf"^{tmp_path}/0\.parquet: the column for unsafe holds 'unlikely', which is no number"):
        wanted_rows(tmp_path, FILTERS, seed=0)


@pytest.mark.parametrize("left", [0, 4, 200, 0.5, -20])
def test_a_part_that_is_cut_off_or_damaged_is_refused_by_name(tmp_path, left):
    good, file = tmp_path / "0.parquet", tmp_path / "1.parquet"
    metadata([f"http://x/{i}" for i in range(500)]).to_parquet(good)
    whole = good.read_bytes()
    file.write_bytes(whole[: int(left * len(whole)) if isinstance(left, float) else left])
    with pytest.raises(ValueError, match=rf"^{file}: not a parquet file \(a Git LFS pointer, or cut off\?\)"):
        wanted_rows(tmp_path, FILTERS, seed=0)
    damaged = bytearray(whole)
    damaged[40:2000] = bytes(1960)
    file.write_bytes(damaged)
    with pytest.raises(ValueError, match=rf"^{file}: not a parquet file"):
        wanted_rows(tmp_path, FILTERS, seed=0)


@pytest.mark.parametrize(
    "columns, why",
    [
        ({"AESTHETIC_SCORE": 1.0}, "no link passes the filters of config key datasets.laion.download; left out: low_score 1"),
        ({}, r"no link gave an image \(http_404 1\); remove \S+\.out\.partial to try them again"),
    ],
)
def test_a_download_of_nothing_ends_in_one_line(web, tmp_path, columns, why):
    (tmp_path / "metadata").mkdir()
    web.pages["/gone"] = Page(status=404)
    metadata([web.url("/gone")], **columns).to_parquet(tmp_path / "metadata" / "0.parquet")
    ended = subprocess.run(
        command(tmp_path / "metadata", tmp_path / "out"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1 and "Traceback" not in ended.stderr and not (tmp_path / "out").exists()
    last = ended.stderr.strip().splitlines()[-1]
    assert re.search(rf"download_laion\S*: error: {tmp_path}/metadata: {why}$", last), last
