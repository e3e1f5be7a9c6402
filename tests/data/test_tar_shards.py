"""Tar archives as people make, join, link and cut them."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import tarfile
import zipfile

import pytest

from fcr_core.data.tar_shards import in_shard, members_of, read_member

from .test_official import shard, write


@pytest.fixture(autouse=True)
def forgotten():
    members_of.cache_clear()


def content(path) -> dict[str, bytes]:
    members_of.cache_clear()
    return {name: read_member(path, name) for name in members_of(path)}


def test_names_are_those_that_tar_would_extract(tmp_path):
    members = {"./0.jpg": b"0", "a/./b//1.jpg": b"1", "/data/2.jpg": b"2", "../up/3.jpg": b"3"}
    expected = {"0.jpg": b"0", "a/b/1.jpg": b"1", "data/2.jpg": b"2", "up/3.jpg": b"3"}
    assert content(shard(tmp_path / "a.tar", members)) == expected


def test_the_archive_of_a_folder_holds_its_files_and_no_stray_ones(tmp_path):
    for name in ("0.jpg", "deep/1.jpg", "._0.jpg", ".DS_Store", "__MACOSX/._1.jpg", "Thumbs.db", "deep/.git/2.jpg"):
        write(tmp_path / "set" / name, name)
    subprocess.run(["tar", "cf", tmp_path / "a.tar", "-C", tmp_path / "set", "."], check=True)
    assert content(tmp_path / "a.tar") == {"0.jpg": b"0.jpg", "deep/1.jpg": b"deep/1.jpg"}


def test_long_names_and_later_copies_are_read(tmp_path):
    name = "/".join(["a" * 90] * 3) + ".jpg"
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        for text in (b"old", b"new"):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    assert content(tmp_path / "a.tar") == {name: b"new"}


def test_links_inside_an_archive_lead_to_their_file_and_others_are_refused(tmp_path):
    write(tmp_path / "set" / "real" / "0.jpg", "picture")
    os.link(tmp_path / "set" / "real" / "0.jpg", tmp_path / "set" / "hard.jpg")
    (tmp_path / "set" / "soft.jpg").symlink_to("real/0.jpg")
    (tmp_path / "set" / "real" / "beside.jpg").symlink_to("0.jpg")
    subprocess.run(["tar", "cf", tmp_path / "a.tar", "-C", tmp_path / "set", "."], check=True)
    names = {"hard.jpg", "soft.jpg", "real/0.jpg", "real/beside.jpg"}
    assert content(tmp_path / "a.tar") == dict.fromkeys(names, b"picture")
    (tmp_path / "set" / "out.jpg").symlink_to("../elsewhere/0.jpg")
    subprocess.run(["tar", "cf", tmp_path / "b.tar", "-C", tmp_path / "set", "."], check=True)
    with pytest.raises(ValueError, match=r"b\.tar/out\.jpg: a link to \.\./elsewhere/0\.jpg, which the shard does not hold"):
        members_of(tmp_path / "b.tar")


def test_an_archive_cut_off_at_any_block_is_refused_by_name(tmp_path):
    whole = shard(tmp_path / "whole.tar", {f"{i}.txt": bytes([i]) * 700 for i in range(3)}).read_bytes()
    end = 3 * (512 + 1024)
    for cut in [0, 1, 511, *range(512, end, 256), end - 1, end, end + 511]:
        file = write(tmp_path / f"{cut}.tar", whole[:cut])
        with pytest.raises(ValueError, match=rf"^{file}: .*cut off") as raised:
            members_of(file)
        assert "\n" not in str(raised.value)
    assert len(members_of(write(tmp_path / "block.tar", whole[: end + 512]))) == 3


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path):
    file = shard(tmp_path / "a.tar", {f"{i}.txt": b"x" for i in range(3)})
    damaged = bytearray(file.read_bytes())
    damaged[1024:1100] = b"\xff" * 76
    with pytest.raises(ValueError, match=r"a\.tar: cut off or damaged: byte 1024 begins neither a file nor"):
        members_of(write(file, bytes(damaged)))


def test_joined_archives_are_refused(tmp_path):
    one = shard(tmp_path / "1.tar", {"0.txt": b"x"}).read_bytes()
    with pytest.raises(ValueError, match=r"both\.tar: goes on after its end-of-archive"):
        members_of(write(tmp_path / "both.tar", one + one))


def test_an_archive_without_files_holds_none(tmp_path):
    assert members_of(shard(tmp_path / "a.tar", {})) == {}


@pytest.mark.parametrize("kind, compress", [("gzip", gzip.compress), ("bzip2", bz2.compress), ("xz", lzma.compress)])
def test_compression_under_the_name_of_a_tar_is_named(tmp_path, kind, compress):
    plain = shard(tmp_path / "plain.tar", {"0.txt": b"x"})
    with pytest.raises(ValueError, match=rf"a\.tar: compressed \({kind}\), .* make it an uncompressed tar"):
        members_of(write(tmp_path / "a.tar", compress(plain.read_bytes())))


def test_other_files_under_the_name_of_a_tar_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "zip.tar", "w") as archive:
        archive.writestr("0.txt", "x")
    with pytest.raises(ValueError, match=r"zip\.tar: compressed \(zip\)"):
        members_of(tmp_path / "zip.tar")
    with pytest.raises(ValueError, match=r"page\.tar: not an uncompressed tar file"):
        members_of(write(tmp_path / "page.tar", "<html>" + " " * 2000))


def test_a_folder_may_be_called_like_a_shard(tmp_path):
    write(tmp_path / "photos.tar" / "a.jpg", "x")
    inside = shard(tmp_path / "photos.tar" / "b.TAR", {"c.tar/d.jpg": b"picture"})
    assert in_shard(tmp_path / "photos.tar" / "a.jpg") == (None, "")
    assert in_shard(inside / "c.tar" / "d.jpg") == (inside, "c.tar/d.jpg")
    assert content(inside) == {"c.tar/d.jpg": b"picture"}


def test_a_file_that_is_no_longer_in_its_shard_is_named(tmp_path):
    file = shard(tmp_path / "a.tar", {"0.txt": b"x"})
    with pytest.raises(ValueError, match=rf"^{file}/1\.txt: the shard holds no such file"):
        read_member(file, "1.txt")
