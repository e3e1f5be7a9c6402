"""Run a script of the workflow: in the job server if one answers, else in this process.

    python -m fcr_core.jobs.client sample --pipeline models/pocket ... &> logs/sample/FD-10_seed0.log

The server (`jobs.server`) has imported torch, diffusers and the like once, for all jobs. FCR_JOB_SERVER names its socket. Either
way the job has the arguments, folder, environment and standard streams of this process, which ends as the job does. This module
imports as little as it can: it runs once a job.
"""

import marshal
import os
import runpy
import signal
import socket
import sys

ADDRESS = "FCR_JOB_SERVER"
# What a server says once it has started the job; before that, the job can still be run here.
STARTED = b"+"
# Packages of the project: what is missing of them is a bug.
OWN = ("fcr_core", "workflow_scripts")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# How lengths and exit codes are sent.
NUMBER = 4


def main() -> None:
    script, arguments = sys.argv[1], sys.argv[2:]
    if (connection := asked(script, arguments)) is None:
        run_script(script, arguments)
    else:
        sys.exit(exit_code(connection))


def run_script(script: str, arguments: list[str]) -> None:
    """As `python -m workflow_scripts.SCRIPT ARGUMENTS`, in this process."""
    sys.argv = [script, *arguments]
    try:
        runpy.run_module(f"workflow_scripts.{script}", run_name="__main__", alter_sys=True)
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] in OWN:
            raise
        sys.exit(f"{script}: error: package {error.name!r} is missing: `make setup` installs what jobs need")


def asked(script: str, arguments: list[str]) -> socket.socket | None:
    """A connection to the server that has started the job; none if no server has."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(os.environ.get(ADDRESS, ""))
        folder = os.getcwd()  # noqa: PTH109 # pathlib takes 10 ms
        request = marshal.dumps((script, arguments, folder, dict(os.environ)))
        socket.send_fds(connection, [len(request).to_bytes(NUMBER)], [0, 1, 2])
        connection.sendall(request)
        return connection if connection.recv(len(STARTED)) else None
    except OSError:
        return None


def exit_code(connection: socket.socket) -> int:
    """Wait for the job and pass signals on to it. Its exit code; 128 + n if signal n ended it, as a shell says it."""
    for number in SIGNALS:
        signal.signal(number, lambda sent, _: connection.send(bytes([sent])))
    try:
        answer = connection.recv(NUMBER, socket.MSG_WAITALL)
    except ConnectionResetError:
        answer = b""
    if len(answer) < NUMBER:
        sys.exit("the job server has ended, and with it this job")
    code = int.from_bytes(answer, signed=True)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main()
