#!/usr/bin/env bash
# Runs scripts/templates/slurm.sbatch under a real Slurm: installs slurm-wlm and munge where they are missing (Debian, root), starts munged,
# slurmctld and slurmd for this machine alone in a temporary folder, and holds the template to what it promises: a run that is pre-empted,
# cancelled and requeued ends with the losses of an unbroken one. Not part of CI: it needs root and takes some minutes.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
((EUID == 0)) || { echo "test-slurm: run it as root: the daemons start jobs"; exit 2; }
for program in slurmctld slurmd munged; do
    command -v "$program" >/dev/null || { apt-get update -q && apt-get install -y -q slurm-wlm munge; break; }
done
"$root/scripts/uniscale" --version >/dev/null
export PATH=$root/src/Uniscale.Cli/bin/Release/net10.0:$PATH

work=$(mktemp -d /tmp/uniscale-slurm-XXXXXX)
host=$(hostname -s)
export SLURM_CONF=$work/slurm.conf
daemons=()
finish() {
    code=$?
    scancel --user=root 2>/dev/null || true
    ((code == 0)) || tail -n 20 "$work"/*.log "$work"/runs/*.log 2>/dev/null || true
    for daemon in "${daemons[@]}"; do kill "$daemon" 2>/dev/null || true; done
    wait 2>/dev/null || true
    ((code == 0)) && rm -rf "$work" || echo "test-slurm: failed; everything is in $work"
}
trap finish EXIT

start_slurm() {
    mkdir -p "$work"/{state,spool,runs}
    chmod 755 "$work"
    head -c 1024 /dev/urandom >"$work/munge.key"
    chmod 600 "$work/munge.key"
    # A requeued job waits for its old credential to expire: two minutes unless told otherwise.
    cat >"$SLURM_CONF" <<CONF
ClusterName=uniscale
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=$((20000 + RANDOM % 10000))
SlurmdPort=$((30000 + RANDOM % 10000))
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket,cred_expire=5
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=60
SchedulerParameters=sched_interval=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    munged --foreground --force --num-threads=1 --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munged.pid" \
        --log-file="$work/munged.log" --seed-file="$work/munged.seed" >"$work/munged.out" 2>&1 &
    daemons+=($!)
    until_true 30 test -S "$work/munge.socket"
    slurmctld -D >"$work/slurmctld.log" 2>&1 &
    daemons+=($!)
    slurmd -D >"$work/slurmd.log" 2>&1 &
    daemons+=($!)
    until_true 60 node_is_idle
}

until_true() {
    local seconds=$1
    shift
    for ((i = 0; i < seconds * 5; i++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    echo "test-slurm: after $seconds s still not: $*"
    exit 1
}

node_is_idle() { [[ $(sinfo --noheader --format=%T) == idle* ]]; }
job_is() { [[ $(squeue --noheader --states=all --job="$1" --format=%T) == "$2" ]]; }
steps() { grep -c '"kind":"step"' "$work/runs/$1/metrics.jsonl" 2>/dev/null || echo 0; }
is_at() { (($(steps "$1") >= $2)); }
has_left_the_queue() { ! squeue --noheader --job="$1" --states=pending,running,completing 2>/dev/null | grep -q .; }
starts() { grep -c '"kind":"start"' "$work/runs/$1/metrics.jsonl"; }

make_run() {
    mkdir -p "$work/raw"
    for ((i = 0; i < 40; i++)); do
        for ((line = 0; line < 40; line++)); do echo "The $((i * line % 7)) models of text $line learn $(((i + line) % 13)) words."; done >"$work/raw/$i.txt"
    done
    uniscale data import "$work/raw" --domain books --out "$work/store"
    uniscale tokenizer train "$work/store" --vocabulary 300 --out "$work/t.model" --threads 1
    uniscale data tokenize "$work/store" --tokenizer "$work/t.model" --out "$work/tokens" --workers 1
    for name in whole broken; do
        cat >"$work/$name.yaml" <<YAML
name: $name
run_directory: $work/runs/$name
model: { layers: 2, hidden: 64, heads: 2, context: 64 }
data:
  tokenizer: $work/t.model
  sources: [{ name: books, domain: books, shards: ["$work/tokens/books.train"] }]
batch: { global: 8 }
train: { steps: 400, threads: 1 }
checkpoint: { every: 50 }
logging: { peak_flops: 1G, tensor_board: false, every: 100 }
YAML
    done
}

submit() {
    sbatch --parsable --nodes=1 --ntasks-per-node=2 --cpus-per-task=1 --output="$work/runs/%j.log" "$root/scripts/templates/slurm.sbatch" "$work/$1.yaml"
}

make_run >"$work/make.log" 2>&1
start_slurm
srun --mpi=list 2>&1

echo "test-slurm: an unbroken run"
job=$(submit whole)
until_true 300 has_left_the_queue "$job"
[[ $(uniscale status "$work/runs/whole" --json) == *'"state": "finished"'* ]]

echo "test-slurm: the signal before the time limit, on which the template requeues itself"
job=$(submit broken)
until_true 120 is_at broken 60
scancel --signal=USR1 "$job"
until_true 120 grep -q '"finished":false' "$work/runs/broken/metrics.jsonl"
until_true 120 job_is "$job" RUNNING

echo "test-slurm: a pre-emption (requeue: SIGTERM, and SIGKILL after the grace period)"
before=$(steps broken)
until_true 180 is_at broken $((before + 60))
scontrol requeue "$job"
until_true 120 job_is "$job" PENDING
until_true 120 job_is "$job" RUNNING

echo "test-slurm: cancelled, and submitted again"
before=$(steps broken)
until_true 180 is_at broken $((before + 60))
scancel "$job"
until_true 120 has_left_the_queue "$job"
job=$(submit broken)
until_true 300 has_left_the_queue "$job"
[[ $(uniscale status "$work/runs/broken" --json) == *'"state": "finished"'* ]]

losses() { sed -n 's/^{"kind":"step".*"step":\([0-9]*\),.*"loss":\([^,]*\),.*/\1 \2/p' "$work/runs/$1/metrics.jsonl"; }
(($(losses whole | wc -l) == 400))
diff <(losses whole) <(losses broken)
echo "test-slurm: $(starts broken) starts in the record; 400 losses, bit-identical to those of the unbroken run"
