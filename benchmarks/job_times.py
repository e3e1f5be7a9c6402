"""Where the time of a run goes: jobs, minutes and peak memory of each rule, from the benchmark file of every job."""

from pathlib import Path

import pandas as pd

FOLDER = Path("results/benchmarks")


def rule_of(file: Path) -> str:
    """`finetune/lambda0_seed1.tsv` and `exp1_table.tsv` -> the rule's name."""
    return file.relative_to(FOLDER).parts[0].removesuffix(".tsv")


def main() -> None:
    files = sorted(FOLDER.rglob("*.tsv"))
    if not files:
        raise SystemExit("no benchmark files in results/benchmarks: run `make exp1` first")
    jobs = pd.concat([pd.read_csv(file, sep="\t").assign(rule=rule_of(file)) for file in files])
    table = jobs.groupby("rule").agg(
        jobs=("s", "size"), minutes=("s", "sum"), cpu_minutes=("cpu_time", "sum"), peak_mb=("max_rss", "max")
    )
    table[["minutes", "cpu_minutes"]] /= 60
    table = table.sort_values("cpu_minutes", ascending=False)
    table.loc["all"] = [table["jobs"].sum(), table["minutes"].sum(), table["cpu_minutes"].sum(), table["peak_mb"].max()]
    print(table.round(1).to_markdown())


if __name__ == "__main__":
    main()
