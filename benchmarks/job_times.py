"""Where the time of the runs in this folder goes: jobs, minutes, CPU minutes, the share of CPU that passes before the work
begins, and peak memory of each rule, from the last line of every job's log; then Snakemake itself and the job server."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from fcr_core.jobs.usage import Usage

LOGS = Path("logs")
ORCHESTRATION = {"snakemake", "job_server"}


def rule_of(log: Path) -> str:
    """`finetune/lambda0_seed1.log` and `measure_real.log`, below the folder of logs -> the rule's name."""
    return log.parts[0].removesuffix(".log")


def usages(logs: Path = LOGS) -> Iterator[tuple[str, Usage]]:
    """By rule, of each job the last run that came to its end; of Snakemake and the job server every run."""
    for log in sorted(logs.rglob("*.log")):
        found, rule = Usage.read(log.read_text(errors="replace")), rule_of(log.relative_to(logs))
        yield from ((rule, usage) for usage in (found if rule in ORCHESTRATION else found[-1:]))


def by_rule(found: list[tuple[str, Usage]]) -> pd.DataFrame:
    jobs = pd.DataFrame([{"rule": rule, **usage._asdict()} for rule, usage in found])
    table = jobs.groupby("rule").agg(
        jobs=("wall", "size"), minutes=("wall", "sum"), cpu_minutes=("cpu", "sum"), start_minutes=("start", "sum"),
        peak_mb=("memory_mb", "max"),
    )  # fmt: skip
    last = table.index.isin(ORCHESTRATION)
    table = pd.concat([table[~last].sort_values("cpu_minutes", ascending=False), table[last]])
    # Snakemake and the server live beside the jobs: their minutes on the clock are no further ones.
    beside = table.index.isin(ORCHESTRATION)
    clock, cpu = table.loc[~beside, ["jobs", "minutes"]].sum(), table[["cpu_minutes", "start_minutes"]].sum()
    table.loc["all"] = [*clock, *cpu, table["peak_mb"].max()]
    table[["minutes", "cpu_minutes"]] /= 60
    table["start_share"] = (100 * table.pop("start_minutes") / 60 / table["cpu_minutes"]).round(1).astype(str) + " %"
    return table


def main() -> None:
    if not (found := list(usages())):
        raise SystemExit("no job in logs has come to its end: run `make exp1` first")
    print(by_rule(found).round(1).to_markdown())
    before = sum(usage.cpu if rule in ORCHESTRATION else usage.start for rule, usage in found)
    print(f"\nstart-up and orchestration: {before / sum(usage.cpu for _, usage in found):.1%} of the CPU time")


if __name__ == "__main__":
    main()
