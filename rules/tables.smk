# From measurements to the table, its verdicts and its figures. No torch here: editing statistics reruns seconds.


rule exp1_table:
    input:
        measurements=sorted({file for files in MEASUREMENTS.values() for file in files}),
        efficiency="results/metrics/efficiency.parquet",
        real="results/metrics/real.parquet",
    output:
        table="results/exp1_table.csv",
        readable="results/exp1_table.md",
        criteria="results/criteria.csv",
    log:
        "logs/exp1_table.log",
    benchmark:
        "results/benchmarks/exp1_table.tsv"
    conda:
        ENV
    params:
        code=script("exp1_table"),
        rows=rows.rows_json(VARIATIONS.values(), MEASUREMENTS),
        goal=GOAL,
        uncached=UNCACHED,
    shell:
        "python -m workflow_scripts.exp1_table --rows {params.rows:q} --efficiency {input.efficiency:q} --real {input.real:q}"
        " --goal {params.goal} --uncached {params.uncached} --out {output.table:q} --readable {output.readable:q}"
        " --criteria {output.criteria:q} 2>&1 | tee {log:q}"


rule plot_tradeoff:
    input:
        table="results/exp1_table.csv",
        real="results/metrics/real.parquet",
    output:
        "results/figures/exp1_tradeoff.png",
    log:
        "logs/plot_tradeoff.log",
    benchmark:
        "results/benchmarks/plot_tradeoff.tsv"
    conda:
        ENV
    params:
        code=script("plot_tradeoff"),
        goal=GOAL,
    shell:
        "python -m workflow_scripts.plot_tradeoff --table {input.table:q} --real {input.real:q} --goal {params.goal}"
        " --out {output:q} 2>&1 | tee {log:q}"


rule plot_samples:
    input:
        samples=[samples_of(name, SEEDS[:1])[0] for name in VARIATIONS],
        data=f"results/data/{EVAL}/prompts.parquet",
    output:
        "results/figures/exp1_samples.png",
    log:
        "logs/plot_samples.log",
    benchmark:
        "results/benchmarks/plot_samples.tsv"
    conda:
        ENV
    params:
        code=script("plot_samples"),
        samples=lambda wildcards, input: folders_of(input.samples),
        data=subpath(input.data, parent=True),
        names=list(VARIATIONS),
    shell:
        "python -m workflow_scripts.plot_samples --samples {params.samples:q} --names {params.names:q} --data {params.data:q}"
        " --out {output:q} 2>&1 | tee {log:q}"
