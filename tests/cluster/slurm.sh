#!/bin/sh
# A SLURM cluster of one node, this machine, as root: sh slurm.sh start DIR; sh slurm.sh stop DIR
# It needs Debian's packages slurm-wlm and munge. Its daemons, keys, state and logs are in DIR, so
# it does not touch a SLURM that is installed. Clients find it by SLURM_CONF=DIR/slurm.conf.
set -eu
action=$1
dir=$2

stop_daemon() {
    [ -s "$dir/$1.pid" ] || return 0
    pid=$(cat "$dir/$1.pid")
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$pid"
}

if [ "$action" = stop ]; then
    for name in slurmctld slurmd munged; do
        stop_daemon "$name"
    done
    exit
fi

mkdir -p "$dir/state" "$dir/spool"
chmod 755 "$dir"
dd if=/dev/urandom of="$dir/key" bs=128 count=1 2>/dev/null
chmod 600 "$dir/key"
host=$(hostname -s)
port=$((20000 + $$ % 20000)) # several tests may run at a time
cat >"$dir/slurm.conf" <<CONF
ClusterName=stablenets
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
# a requeued job may start again after cred_expire seconds
AuthInfo=socket=$dir/munge.socket,cred_expire=5
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=30
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000000
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
munged --force --key-file "$dir/key" --socket "$dir/munge.socket" --pid-file "$dir/munged.pid" \
    --log-file "$dir/munged.log" --seed-file "$dir/munged.seed"
export SLURM_CONF="$dir/slurm.conf"
slurmctld
slurmd
for _ in $(seq 100); do
    case $(sinfo -h -o %t 2>/dev/null) in
    idle*) exit 0 ;;
    esac
    sleep 0.2
done
echo "slurm.sh: the node is not idle; logs are in $dir" >&2
exit 1
