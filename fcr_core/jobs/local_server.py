"""The job server of one run of Snakemake on this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from fcr_core.jobs.client import ADDRESS
from fcr_core.jobs.usage import Usage

# Fewer jobs start sooner by themselves than the server does.
WORTH_IT = 5
# So that the server has one thread when it forks: of OpenMP, the two libraries of linear algebra, and pyarrow's allocator.
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")} | {
    "JE_ARROW_MALLOC_CONF": "background_thread:false"
}
# diffusers asks at import whether there is a GPU: of NVML, since a process that has started CUDA cannot be forked.
NO_CUDA_YET = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}


class LocalServer:
    """Starts with `start`. Ends, when its jobs have ended, with `stop` or with this process, however that ends."""

    def __init__(self, logs: Path = Path("logs")) -> None:
        self.logs = logs
        self.process: subprocess.Popen | None = None

    def start(self, environment: dict[str, str]) -> None:
        """Clients of this process's environment find it from now on; those that come before it is ready wait."""
        # Short: the path of a socket has at most 107 bytes.
        folder = tempfile.mkdtemp(prefix="fcr-", dir="/tmp")
        self.logs.mkdir(exist_ok=True)
        with socket.socket(socket.AF_UNIX) as listener, (self.logs / "job_server.log").open("a") as log:
            listener.bind(f"{folder}/jobs")
            listener.listen(128)
            self.process = subprocess.Popen(
                # The Python that jobs have.
                ["python", "-m", "fcr_core.jobs.server", str(listener.fileno())],
                pass_fds=[listener.fileno()], stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, **environment, **ONE_THREAD, **NO_CUDA_YET},
            )  # fmt: skip
        os.environ[ADDRESS] = f"{folder}/jobs"

    def stop(self) -> None:
        """Let the server end and write what this process took beside the jobs: with a server, shells and clients too."""
        if self.process is None:
            return
        with (self.logs / "snakemake.log").open("a") as log:
            print(Usage.now(), file=log)
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        shutil.rmtree(Path(os.environ.pop(ADDRESS)).parent, ignore_errors=True)


def wanted(workflow: Any) -> bool:
    """True if the jobs of this Snakemake run here, in its own environment, and are worth a server.

    Not on a cluster or in a job of one, not with `--touch`, not in environments that Snakemake makes (`--sdm`), not where
    forks of a process with many libraries are unsafe (macOS).
    """
    here = sys.platform == "linux" and workflow.local_exec and not workflow.touch and workflow.is_main_process
    own = not workflow.deployment_settings.deployment_method
    return here and own and len(list(workflow.dag.needrun_jobs())) >= WORTH_IT
