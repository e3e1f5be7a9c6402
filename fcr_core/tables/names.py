"""Names of an experiment's files that several rules and scripts share. No pandas: Snakemake reads them."""

MECHANISM, FIT = "mechanism.csv", "mechanism_fit.csv"
