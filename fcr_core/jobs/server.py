"""The job server: a process that has imported what jobs import, and becomes one, by a fork, for each that `jobs.client` asks for.

It lives as long as its standard input is open, which Snakemake holds (`jobs.local_server`), and as long as a job runs. Nothing is
computed before a fork: there is one thread, and no pool of threads that a fork would break. Of the project's own modules none is
kept: each job reads its code anew.
"""

from __future__ import annotations

import ast
import atexit
import ctypes
import gc
import importlib
import marshal
import os
import select
import shutil
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

from threadpoolctl import threadpool_limits

from fcr_core.jobs.client import NUMBER, STARTED, run_script
from fcr_core.jobs.code_hash import PACKAGES, ROOT
from fcr_core.jobs.packages import withhold
from fcr_core.jobs.usage import Usage

# What the pocket pipeline's files name, so that no import statement does.
NAMED_IN_FILES = ("from diffusers import StableDiffusionPipeline", "from transformers import BertModel, BertTokenizer")
# Linux: the signal that a process gets when its parent ends.
PR_SET_PDEATHSIG = 1


class Request(NamedTuple):
    """The command that a client wants to be run, and its folder; `streams` are its standard input, output and error."""

    script: str
    arguments: list[str]
    folder: str
    environment: dict[str, str]
    streams: list[int]


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    server = Server(listener)
    import_packages()
    # No process that is forked from one with CUDA's driver can use a GPU: let jobs run by themselves.
    if "/libcuda.so" in Path("/proc/self/maps").read_text():
        server.close()
    if request := server.serve():
        become(request)
        run_and_end(request)
    print(Usage.now(children=False), file=sys.stderr)


def import_packages() -> None:
    """Run the import statements at the top of all project files, but those of project modules; what is not installed is left out.

    Snakemake is left out, too: no job uses it.
    """
    withhold("bitsandbytes")
    for statement in sorted({*NAMED_IN_FILES, *third_party_imports(ROOT)}):
        try:
            exec(statement, {})
        except ImportError:
            continue
    gc.collect()
    # What is here now is never looked through again, so forks go on sharing its memory.
    gc.freeze()


def third_party_imports(root: Path) -> set[str]:
    """`import a` and `from a.b import c` as the project's files have them."""
    left_out = {*PACKAGES, "__future__", "snakemake", "snakemake_interface_executor_plugins"}
    found = set()
    for file in (path for package in PACKAGES for path in (root / package).rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            if names and not any(name.split(".")[0] in left_out for name in names):
                found.add(ast.unparse(node))
    return found


class Server:
    """Starts jobs, passes signals on to them and tells their clients how they ended."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.open = True
        # By process id; none where the client has gone.
        self.clients: dict[int, socket.socket | None] = {}
        self.ended, wakes = socket.socketpair()
        wakes.setblocking(False)
        # Python writes a byte here when a child ends.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes.detach())

    def serve(self) -> Request | None:
        """Nothing, once Snakemake and all jobs have ended; in each process that is to become a job, what its client asks for."""
        while self.open or self.clients:
            gates = [self.listener, sys.stdin] if self.open else []
            talking = {connection: pid for pid, connection in self.clients.items() if connection}
            ready = select.select([*gates, self.ended, *talking], [], [])[0]
            if sys.stdin in ready:
                self.close()
            elif self.listener in ready and (request := self.start()):
                return request
            for connection in talking.keys() & ready:
                self.pass_signal(talking[connection])
            if self.ended in ready:
                self.ended.recv(1024)
                self.report()
        return None

    def close(self) -> None:
        """Take no more jobs."""
        shutil.rmtree(Path(self.listener.getsockname()).parent)
        self.listener.close()
        self.open = False

    def start(self) -> Request | None:
        """Fork a process for the next client; in that process, what the client asks for."""
        connection, _ = self.listener.accept()
        if (request := received(connection)) is None:
            return None
        if pid := os.fork():
            # A group of its own, so that a signal reaches what the job starts as well.
            os.setpgid(pid, pid)
            self.clients[pid] = connection
            for stream in request.streams:
                os.close(stream)
            with suppress(OSError):
                connection.send(STARTED)
            return None
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(signal.set_wakeup_fd(-1))
        for opened in (connection, self.listener, self.ended, *filter(None, self.clients.values())):
            opened.close()
        return request

    def pass_signal(self, pid: int) -> None:
        """Pass the client's signal on; if the client is gone, the job is to end."""
        connection = self.clients[pid]
        assert connection is not None
        number = connection.recv(1)
        os.killpg(pid, number[0] if number else signal.SIGTERM)
        if not number:
            connection.close()
            self.clients[pid] = None

    def report(self) -> None:
        """Send the exit codes of the jobs that have ended."""
        for pid in list(self.clients):
            if (ended := os.waitpid(pid, os.WNOHANG))[0] == 0:
                continue
            if connection := self.clients.pop(pid):
                with suppress(OSError):
                    connection.send(os.waitstatus_to_exitcode(ended[1]).to_bytes(NUMBER, signed=True))
                connection.close()


def received(connection: socket.socket) -> Request | None:
    """Read what the client asks for; nothing if it was killed before it had said so."""
    head, streams, _, _ = socket.recv_fds(connection, NUMBER, maxfds=3)
    wanted = int.from_bytes(head)
    text = connection.recv(wanted, socket.MSG_WAITALL)
    if not text or len(text) < wanted:
        return None
    script, arguments, folder, environment = marshal.loads(text)
    return Request(script, arguments, folder, environment, list(streams))


def become(request: Request) -> None:
    """Take the client's streams, folder and environment, read the project's modules from there, and end when the server does."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    for place, stream in enumerate(request.streams):
        os.dup2(stream, place)
        os.close(stream)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.path[0] = request.folder
    for name in [name for name in sys.modules if name.split(".")[0] in PACKAGES]:
        del sys.modules[name]
    importlib.invalidate_caches()
    # The libraries read it when they were loaded, as 1.
    threadpool_limits(int(request.environment.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))))


def run_and_end(request: Request) -> NoReturn:
    """Run the script and end as Python does, but leave memory to the kernel: to free it object by object takes 1.5 s of CPU."""
    code: object = 0
    try:
        run_script(request.script, request.arguments)
    except SystemExit as asked:
        code = asked.code
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    main()
