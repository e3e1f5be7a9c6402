"""One thin script a rule: command-line arguments in, `fcr_core` called, outputs written. Each also runs by hand: `--help`."""
