"""Jobs in the server and by themselves, with real processes. The scripts are small ones, in a folder of their own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fcr_core.jobs.usage import Usage

from ..workspace import ROOT

# A process that has a server, as Snakemake has.
HOLDER = """
import os, sys
from pathlib import Path
from fcr_core.jobs.local_server import LocalServer
server = LocalServer(Path(sys.argv[1]))
server.start({"TQDM_MININTERVAL": "1"})
print(os.environ["FCR_JOB_SERVER"], server.process.pid, flush=True)
sys.stdin.read()
server.stop()
"""
TELL = """
import json, os, sys, threadpoolctl, torch
threads = {pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
print(json.dumps([sys.argv, os.getcwd(), os.environ["SAID"], sys.stdin.read(), sorted(threads), os.getppid(), __name__]))
print("to stderr", file=sys.stderr)
"""
WAIT = """
import os, sys, time
from pathlib import Path
Path("pid").write_text(str(os.getpid()))
while not Path("go").exists():
    time.sleep(0.02)
Path("done").touch()
"""
ENDINGS = {
    "sys.exit(3)": (3, ""),
    "sys.exit('error: mend it')": (1, "error: mend it\n"),
    "raise OSError('no space')": (1, "OSError: no space\n"),
    "os.kill(os.getpid(), 9)": (128 + 9, ""),
    "atexit.register(print, 'at exit', file=sys.stderr)": (0, "at exit\n"),
}


class Server:
    """A running server, and the process that holds it."""

    def __init__(self, folder: Path) -> None:
        self.holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder / "logs")], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            # A shell's background jobs, these tests perhaps, ignore Ctrl-C, and so would all that they start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        assert self.holder.stdout
        self.address, pid = self.holder.stdout.readline().split()
        self.process = psutil.Process(int(pid))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.holder.communicate("")
    assert not started.process.is_running() and not Path(started.address).parent.exists()


@pytest.fixture
def scripts(tmp_path):
    """A folder with a package of scripts, its name not an easy one."""
    folder = tmp_path / "a folder"
    (folder / "workflow_scripts").mkdir(parents=True)
    (folder / "workflow_scripts" / "__init__.py").touch()
    return folder


def started(folder: Path, script: str, address: str = "", text: str | None = None) -> subprocess.Popen:
    if text is not None:
        (folder / "workflow_scripts" / f"{script}.py").write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FCR_JOB_SERVER": address, "SAID": "so", "OMP_NUM_THREADS": "2"}
    return subprocess.Popen(
        [sys.executable, "-m", "fcr_core.jobs.client", script, "--x", "a b"], cwd=folder, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for(condition, seconds: float = 60) -> None:
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_job_has_its_clients_arguments_folder_environment_streams_and_threads(server, scripts):
    out, err = started(scripts, "tell", server.address, TELL).communicate("typed")
    arguments = [str(scripts / "workflow_scripts/tell.py"), "--x", "a b"]
    assert json.loads(out) == [arguments, str(scripts), "so", "typed", [2], server.process.pid, "__main__"]
    assert err == "to stderr\n"


def test_without_a_server_a_job_runs_in_its_own_process(scripts):
    client = started(scripts, "tell", "/nowhere", TELL)
    told = json.loads(client.communicate("typed")[0])
    assert told[0] == [str(scripts / "workflow_scripts/tell.py"), "--x", "a b"] and told[3] == "typed"
    assert told[-2] == os.getpid()


@pytest.mark.parametrize("here", [True, False])
@pytest.mark.parametrize("ending, says", ENDINGS.items())
def test_a_client_ends_as_its_job_does(ending, says, here, server, scripts):
    client = started(scripts, "end", "" if here else server.address, f"import atexit, os, sys\n{ending}\n")
    err = client.communicate()[1]
    code = client.returncode if client.returncode >= 0 else 128 - client.returncode  # as a shell says it
    assert (code, err[-len(says[1]) :] if says[1] else err) == says


def test_the_code_is_read_anew_for_each_job(server, scripts):
    say = "from workflow_scripts.part import WORD\nprint(WORD)"
    (scripts / "workflow_scripts" / "part.py").write_text("WORD = 'old'")
    assert started(scripts, "say", server.address, say).communicate()[0] == "old\n"
    (scripts / "workflow_scripts" / "part.py").write_text("WORD = 'new'")
    assert started(scripts, "say", server.address).communicate()[0] == "new\n"


@pytest.mark.parametrize("sent, code", [(signal.SIGTERM, 128 + 15), (signal.SIGINT, 128 + 2), (signal.SIGKILL, -9)])
def test_a_signal_to_a_client_ends_its_job(sent, code, server, scripts):
    client = started(scripts, "wait", server.address, WAIT)
    wait_for(lambda: (scripts / "pid").exists() and (scripts / "pid").read_text())
    client.send_signal(sent)
    client.communicate()
    assert client.returncode == code
    wait_for(lambda: not alive(int((scripts / "pid").read_text())))
    assert server.process.is_running()


def test_the_server_has_one_thread_and_no_children_between_jobs(server):
    wait_for(lambda: not server.process.children())
    assert server.process.num_threads() == 1


@pytest.mark.slow
def test_jobs_outlive_a_killed_snakemake_and_the_server_ends_after_them(tmp_path, scripts):
    server = Server(tmp_path)
    client = started(scripts, "wait", server.address, WAIT)
    wait_for(lambda: (scripts / "pid").exists())
    server.holder.kill()
    server.holder.wait()
    wait_for(lambda: not Path(server.address).exists())
    assert started(scripts, "say", server.address, "print('by itself')").communicate()[0] == "by itself\n"
    assert server.process.is_running()
    (scripts / "go").touch()
    client.communicate()
    assert client.returncode == 0 and (scripts / "done").exists()
    wait_for(lambda: not alive(server.process.pid))
    assert len(Usage.read((tmp_path / "logs" / "job_server.log").read_text())) == 1


@pytest.mark.slow
def test_a_client_says_so_when_the_server_is_killed_and_its_job_ends(tmp_path, scripts):
    server = Server(tmp_path)
    client = started(scripts, "wait", server.address, WAIT)
    wait_for(lambda: (scripts / "pid").exists() and (scripts / "pid").read_text())
    server.process.kill()
    assert client.communicate()[1] == "the job server has ended, and with it this job\n" and client.returncode == 1
    wait_for(lambda: not alive(int((scripts / "pid").read_text())))
    server.holder.communicate("")
    assert not Path(server.address).parent.exists()


@pytest.mark.slow
def test_samples_are_bit_identical_with_and_without_the_server_and_the_log_says_what_they_took(server, tmp_path):
    prompts = tmp_path / "prompts.parquet"
    write = "import pandas as pd; pd.DataFrame({'prompt_id': ['a', 'b'], 'prompt': ['a cat', 'a red car']}).to_parquet"
    subprocess.run([sys.executable, "-c", f"{write}({str(prompts)!r})"], check=True)
    sampler = '{"name": "FD-2", "scheduler": "ddim", "steps": 4, "guidance": 3.0, "plan": {"stride": 2}}'
    found = {}
    for address in ("", server.address):
        fixed = ["--pipeline", "models/pocket", "--count", "2", "--seeds", "0"]
        result = subprocess.run(
            [sys.executable, "-m", "fcr_core.jobs.client", "sample", *fixed,
             "--prompts", str(prompts), "--sampler", sampler, "--out", str(tmp_path / "out")],
            cwd=ROOT, env={**os.environ, "FCR_JOB_SERVER": address, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        (usage,) = Usage.read(result.stderr)
        assert 0 < usage.start < usage.cpu and usage.memory_mb > 100
        # What a user can do nothing about.
        for noise in ("Expected types", "gemm_4bit", "Loading"):
            assert noise not in result.stderr
        files = [file for file in sorted((tmp_path / "out").rglob("*")) if file.is_file() and file.name != "run.json"]
        found[address] = usage.start, {file.name: file.read_bytes() for file in files}
        shutil.rmtree(tmp_path / "out")
    (start_here, files_here), (start_served, files_served) = found.values()
    assert files_here == files_served and len(files_here) >= 4
    assert start_served < start_here / 4
