#!/usr/bin/env bash
# Runs a sweep as an array of four tasks on a real Slurm of one node, and compares what comes of it with a run in one process.
# Needs slurmctld, slurmd, sbatch and munged (Debian: slurmctld slurmd slurm-client munge), and root, as slurmd does. Everything lies in
# a folder of its own and listens on this machine only; what was started is stopped at the end.
#
#   tests/slurm/array.sh target/release/herder
#
# Exit codes: 0 the same, 1 not the same, 75 Slurm did not come up on this machine, which says nothing of herder.
set -euo pipefail

herder=$(realpath "${1:?the path of herder}")
submit=$(realpath "$(dirname "$0")/../../deploy/slurm/sweep.sbatch")
work=$(mktemp -d)
started=()
stop() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap stop EXIT

for program in slurmctld slurmd sbatch munged; do
    command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done

# A key of its own: the machine's munge, if it has one, is left alone.
mkdir -p "$work"/{munge,state,spool,log}
chmod 700 "$work/munge"
head -c 1024 /dev/urandom >"$work/munge/key"
chmod 400 "$work/munge/key"
munged --foreground --force --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
    --log-file="$work/munge/log" --seed-file="$work/munge/seed" --num-threads=2 >"$work/log/munged" 2>&1 &
started+=($!)

node=$(hostname -s)
cpus=$(nproc)
# Ports that nobody has: Slurm asks for numbers, not for any.
read -r control daemon < <(python3 - <<'END'
import socket
sockets = [socket.socket() for _ in range(2)]
for one in sockets:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))
END
)
cat >"$work/slurm.conf" <<END
ClusterName=herder
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$control
SlurmdPort=$daemon
SlurmctldParameters=enable_configless
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CryptoType=crypto/munge
CommunicationParameters=NoAddrCache
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/log/slurmctld
SlurmdLogFile=$work/log/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MailProg=/bin/true
NodeName=$node NodeAddr=127.0.0.1 CPUs=$cpus State=UNKNOWN
PartitionName=all Nodes=$node Default=YES MaxTime=10 State=UP
END
export SLURM_CONF="$work/slurm.conf"
slurmctld -D -f "$SLURM_CONF" -i >"$work/log/slurmctld.out" 2>&1 &
started+=($!)
slurmd -D -f "$SLURM_CONF" -N "$node" >"$work/log/slurmd.out" 2>&1 &
started+=($!)

within() { # exit code where it does not, seconds, command: until it succeeds
    local code=$1 until=$((SECONDS + $2))
    shift 2
    until "$@"; do
        if ((SECONDS > until)); then
            echo "this did not come to pass: $*" >&2
            tail -n 20 "$work"/log/* >&2
            exit "$code"
        fi
        sleep 0.5
    done
}
idle() { sinfo -h -o %T 2>/dev/null | grep -q idle; }
within 75 60 idle

plan() { "$herder" sweep plan chat --set workload.requests=300 --vary control.balancer=random,least-load \
    --vary fleet.hosts=3,4 --seeds 6 --out "$1" >/dev/null; }
plan "$work/alone"
plan "$work/array"
"$herder" sweep run "$work/alone" >/dev/null
job=$(PATH="$(dirname "$herder"):$PATH" sbatch --parsable --array=1-4 --output="$work/log/task-%a" "$submit" "$work/array")
ended() { [ -z "$(squeue -h -j "$job" 2>/dev/null)" ]; }
within 1 240 ended
cat "$work"/log/task-*
for index in 1 2 3 4; do
    [ -f "$work/array/shards/$index-of-4.csv" ] || { echo "share $index of 4 is not there" >&2; tail -n 20 "$work"/log/* >&2; exit 1; }
done
"$herder" sweep merge "$work/alone" >"$work/alone.txt"
"$herder" sweep merge "$work/array" >"$work/array.txt"
for file in sweep.csv points.csv; do
    cmp "$work/alone/$file" "$work/array/$file"
done
echo "sweep.csv ($(wc -l <"$work/array/sweep.csv") lines) and points.csv are the same from one process and from four tasks of Slurm $(slurmd -V | cut -d' ' -f2)"
