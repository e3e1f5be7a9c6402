#!/bin/bash
# End what slurm_up.sh FOLDER started, by pid file. The links must go: with them every start of Snakemake asks the dead controller.
set -uo pipefail
folder=$1
scancel --user=root --signal=KILL --full 2> /dev/null
for name in slurmd slurmctld slurmdbd mariadbd munged; do
    if [ -s "$folder"/$name.pid ]; then kill "$(cat "$folder"/$name.pid)" 2> /dev/null; fi
done
rm -f /etc/slurm/{slurm,slurmdbd,gres}.conf /dev/fakegpu*
