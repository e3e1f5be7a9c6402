#!/bin/bash
# A single-node SLURM on loopback with accounting and two fake GPUs, as root, without systemd: slurm_up.sh FOLDER. Its state is in FOLDER.
set -euo pipefail
folder=$1 host=$(hostname -s) gpus=2
packages=(slurmctld slurmd slurmdbd slurm-client slurm-wlm-basic-plugins slurm-wlm-mysql-plugin munge mariadb-server)
mkdir -p "$folder"/{controller,spool,log,db}

if ! dpkg --status "${packages[@]}" > /dev/null 2>&1; then
    apt-get update > "$folder"/log/apt.log
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${packages[@]}" >> "$folder"/log/apt.log 2>&1
fi
mkdir -p /run/munge /etc/slurm

# Debian's policy-rc.d keeps the packages from starting daemons, munge's included.
chown munge: /run/munge
if ! munge -n > /dev/null 2>&1; then
    [ -s /etc/munge/munge.key ] || /usr/sbin/mungekey
    su -s /bin/sh munge -c '/usr/sbin/munged --force'
    cp /run/munge/munged.pid "$folder"/munged.pid
fi

# A generic resource without a device file is dropped from the node.
for id in $(seq 0 $((gpus - 1))); do [ -e /dev/fakegpu$id ] || mknod /dev/fakegpu$id c 1 3; done
cat > "$folder"/gres.conf << CONF
AutoDetect=off
NodeName=$host Name=gpu Type=fake File=/dev/fakegpu[0-$((gpus - 1))]
CONF

cat > "$folder"/slurmdbd.conf << CONF
AuthType=auth/munge
DbdAddr=127.0.0.1
DbdHost=$host
DbdPort=16819
SlurmUser=root
LogFile=$folder/log/slurmdbd.log
PidFile=$folder/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=16820
StorageUser=slurm
StoragePass=loopback
StorageLoc=slurm
CONF
chmod 600 "$folder"/slurmdbd.conf

# Longer than the controller is away: a step that cannot report its end for a minute drains the node, "Kill task failed".
# Memory is enforced without cgroups: the gathering plugin looks every second and kills a step that exceeds its --mem.
cat > "$folder"/slurm.conf << CONF
ClusterName=loopback
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
SlurmctldPort=16817
SlurmdPort=16818
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
StateSaveLocation=$folder/controller
SlurmdSpoolDir=$folder/spool
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16819
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
ReturnToService=2
KillWait=2
UnkillableStepTimeout=600
SchedulerParameters=sched_interval=1,bf_interval=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(awk '/MemTotal/ {print int($2 / 1024) - 512}' /proc/meminfo) Gres=gpu:fake:$gpus
PartitionName=cpu Nodes=$host Default=YES MaxTime=1-0
PartitionName=gpu Nodes=$host MaxTime=1-0
CONF

# Job steps drop SLURM_CONF from srun's environment, so the files must be where Slurm looks by itself.
for name in slurm slurmdbd gres; do ln -sfn "$folder"/$name.conf /etc/slurm/$name.conf; done

until_true() { # SECONDS COMMAND...
    local deadline=$((SECONDS + $1))
    until "${@:2}" > /dev/null 2>&1; do
        if ((SECONDS > deadline)); then tail -n 20 "$folder"/log/*.log >&2; echo "waited in vain for: ${*:2}" >&2; exit 1; fi
        sleep 0.2
    done
}
sql() { mariadb --no-defaults --socket="$folder"/db/socket --user=root --execute="$1"; }

mariadb-install-db --no-defaults --user=root --datadir="$folder"/db/data --auth-root-authentication-method=normal > "$folder"/log/mariadb.log
mariadbd --no-defaults --user=root --datadir="$folder"/db/data --socket="$folder"/db/socket --pid-file="$folder"/db/pid \
    --bind-address=127.0.0.1 --port=16820 --innodb-flush-log-at-trx-commit=0 >> "$folder"/log/mariadb.log 2>&1 < /dev/null &
until_true 60 sql "select 1"
cp "$folder"/db/pid "$folder"/mariadbd.pid
sql "create database slurm; create user slurm@'127.0.0.1' identified by 'loopback'; grant all on slurm.* to slurm@'127.0.0.1'"

slurmdbd
until_true 60 sacctmgr --immediate add cluster loopback
sacctmgr --immediate add account fcr > /dev/null
sacctmgr --immediate add user root account=fcr > /dev/null
slurmctld
slurmd
until_true 60 bash -c 'sinfo --noheader --format=%T | grep -qx idle'
