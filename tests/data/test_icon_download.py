"""The download of the packages from a real server on this machine."""

import signal
import subprocess
import sys
import threading

import pytest

from fcr_core.data.icons import download, styles
from fcr_core.data.icons.download import USER_AGENT, fetch
from fcr_core.data.icons.styles import STYLES

from ..web import Page, Web
from ..workspace import ROOT
from .illustrations import SAMPLE, SAMPLE_STYLES


def path_of(style) -> str:
    return style.url.removeprefix(styles.REGISTRY)


@pytest.fixture
def web(monkeypatch):
    served = Web()
    for style in STYLES:
        served.pages[path_of(style)] = Page((SAMPLE / style.tarball).read_bytes())
    monkeypatch.setattr(download, "STYLES", SAMPLE_STYLES)
    monkeypatch.setattr(styles, "REGISTRY", served.url(""))
    yield served
    served.close()


def names_in(folder) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_all_six_are_fetched_one_at_a_time_and_not_again(web, tmp_path):
    fetch(tmp_path, offline=False)
    assert names_in(tmp_path) == sorted(style.tarball for style in STYLES)
    assert web.busiest == 1 and web.agents == {USER_AGENT} and set(web.asked.values()) == {1}
    fetch(tmp_path, offline=False)
    fetch(tmp_path, offline=True)
    assert set(web.asked.values()) == {1}


def test_a_file_of_another_content_is_fetched_anew(web, tmp_path):
    fetch(tmp_path, offline=False)
    (tmp_path / STYLES[2].tarball).write_bytes(b"cut")
    fetch(tmp_path, offline=False)
    assert web.asked[path_of(STYLES[2])] == 2 and sum(web.asked.values()) == 7


def test_a_wrong_checksum_is_refused_by_name_and_nothing_is_left(web, tmp_path):
    web.pages[path_of(STYLES[1])] = Page(b"sign in, please")
    with pytest.raises(ValueError, match=r"noto-1\.2\.9\.tgz: not the official file: its SHA-256 is "):
        fetch(tmp_path, offline=False)
    assert names_in(tmp_path) == [STYLES[0].tarball]


@pytest.mark.parametrize("page", [Page(status=404), Page(b"half of it", cut=True)])
def test_a_server_that_fails_ends_in_a_line_that_names_the_files_to_get(web, tmp_path, page):
    web.pages[path_of(STYLES[4])] = page
    with pytest.raises(ValueError, match="without a network, put these files into") as raised:
        fetch(tmp_path, offline=False)
    said = str(raised.value)
    assert all(style.url in said for style in STYLES[4:]) and STYLES[3].url not in said and str(tmp_path) in said
    assert names_in(tmp_path) == sorted(style.tarball for style in STYLES[:4])


def script(web, out) -> list[str]:
    """The command of the rule, with the sample's files on the test's server in place of the official ones."""
    code = (
        "import sys; from dataclasses import replace; from fcr_core.data.icons import styles;"
        f"styles.REGISTRY = {web.url('')!r};"
        f"sums = {[style.sha256 for style in SAMPLE_STYLES]!r};"
        "styles.STYLES = tuple(replace(style, sha256=sum_) for style, sum_ in zip(styles.STYLES, sums));"
        "from workflow_scripts import cli, download_illustrations;"
        "cli.run(cli.parser('download'), download_illustrations.work)"
    )
    return [sys.executable, "-c", code, "--out", str(out)]


def test_killed_it_goes_on_with_the_next_file(web, tmp_path):
    reached, never = threading.Event(), threading.Event()
    web.pages[path_of(STYLES[3])].before = lambda: reached.set() or never.wait(60)
    running = subprocess.Popen(script(web, tmp_path / "out"), cwd=ROOT, stderr=subprocess.DEVNULL)
    assert reached.wait(60)
    running.send_signal(signal.SIGKILL)
    running.wait()
    never.set()
    assert [style.tarball for style in STYLES if (tmp_path / "out" / style.tarball).exists()] == [s.tarball for s in STYLES[:3]]
    web.pages[path_of(STYLES[3])].before = lambda: None
    web.asked.clear()
    subprocess.run(script(web, tmp_path / "out"), cwd=ROOT, check=True, capture_output=True)
    assert set(web.asked) == {path_of(style) for style in STYLES[3:]}
    listed = (tmp_path / "out" / "packages.json").read_text()
    assert all(style.licence in listed and style.author in listed for style in STYLES)


def test_offline_it_says_in_one_line_what_to_get(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    command = [sys.executable, "-m", "workflow_scripts.download_illustrations", "--out", str(tmp_path / "out")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = result.stderr.splitlines()[-1]
    assert result.returncode == 1 and "error: HF_HUB_OFFLINE is set, so nothing is downloaded: put these files into" in last
    assert all(style.url in last for style in STYLES)
