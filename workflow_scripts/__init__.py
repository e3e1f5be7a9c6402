"""One thin script a rule: command-line arguments in, `fcr_core` called, outputs written. Each also runs by hand: `--help`."""

from fcr_core.jobs.packages import withhold

# Only the 8-bit optimizer wants it, and asks for it.
withhold("bitsandbytes")
