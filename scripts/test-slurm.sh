#!/usr/bin/env bash
# Runs scripts/templates/slurm.sbatch under a real Slurm: installs slurm-wlm and munge where they are missing (Debian, root), starts munged, slurmctld and three
# slurmd, each in a UTS namespace that makes it a host of its own, and breaks a job as a cluster does. A host with a planted slow GEMM, kill -9 of a rank, SIGSTOP
# of a rank, the signal before the time limit, a pre-emption, scancel; then a host that dies. Each ends in weights that are bit-identical to an unbroken run's.
# At last a sweep as a job array, cancelled twice and queued again, ends with the table of one that was run here. Not part of CI: it needs root and 15 minutes.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
((EUID == 0)) || { echo "test-slurm: run it as root: the daemons start jobs"; exit 2; }
if [[ -z ${UNISCALE_TEST_SLURM:-} ]]; then
    for program in slurmctld slurmd munged; do
        command -v "$program" >/dev/null || { apt-get update -q && apt-get install -y -q slurm-wlm munge; break; }
    done
    "$root/scripts/uniscale" --version >/dev/null
    # A mount namespace of its own: /etc/hosts is another one in it.
    UNISCALE_TEST_SLURM=$(mktemp -d /tmp/uniscale-slurm-XXXXXX) exec unshare --mount "$0" "$@"
fi
work=$UNISCALE_TEST_SLURM
export PATH=$root/src/Uniscale.Cli/bin/Release/net10.0:$PATH SLURM_CONF=$work/slurm.conf
host=$(hostname -s)
daemons=()
finish() {
    code=$?
    scancel --user=root 2>/dev/null || true
    ((code == 0)) || tail -n 20 "$work"/*.log "$work"/runs/*.log 2>/dev/null || true
    sleep 2
    for daemon in "${daemons[@]}"; do kill "$daemon" 2>/dev/null || true; done
    wait 2>/dev/null || true
    ((code == 0)) && rm -rf "$work" || echo "test-slurm: failed; everything is in $work"
}
trap finish EXIT

start_slurm() {
    mkdir -p "$work"/{state,runs}
    chmod 755 "$work"
    cp /etc/hosts "$work/etc-hosts"
    for i in 1 2 3; do echo "127.0.1.$i n$i" >>"$work/etc-hosts"; done
    mount --bind "$work/etc-hosts" /etc/hosts
    head -c 1024 /dev/urandom >"$work/munge.key"
    chmod 600 "$work/munge.key"
    port=$((20000 + RANDOM % 10000))
    # A requeued job waits for its old credential to expire: two minutes unless told otherwise.
    cat >"$SLURM_CONF" <<CONF
ClusterName=uniscale
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=$port
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket,cred_expire=5
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool-%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=30
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=5
$(for i in 1 2 3; do echo "NodeName=n$i NodeAddr=127.0.1.$i Port=$((port + i)) CPUs=2 State=UNKNOWN"; done)
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=OFF
CONF
    munged --foreground --force --num-threads=1 --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munged.pid" \
        --log-file="$work/munged.log" --seed-file="$work/munged.seed" >"$work/munged.out" 2>&1 &
    daemons+=($!)
    until_true 30 test -S "$work/munge.socket"
    slurmctld -D >"$work/slurmctld.log" 2>&1 &
    daemons+=($!)
    for i in 1 2 3; do start_host "n$i"; done
    until_true 60 all_are_idle
}

start_host() {
    unshare --uts bash -c "hostname $1; exec slurmd -D -N $1" >>"$work/slurmd-$1.log" 2>&1 &
    daemons+=($!)
    declare -g "daemon_$1=$!"
}

# Everything that runs on a host ends at once, its daemon included.
kill_host() {
    local -n daemon=daemon_$1
    local place process
    place=$(readlink "/proc/$daemon/ns/uts")
    for process in /proc/[0-9]*; do
        if [[ $(readlink "$process/ns/uts" 2>/dev/null) == "$place" ]]; then kill -9 "${process#/proc/}" 2>/dev/null || true; fi
    done
}

until_true() {
    local seconds=$1
    shift
    for ((i = 0; i < seconds * 10; i++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    echo "test-slurm: after $seconds s still not: $*"
    exit 1
}

all_are_idle() { [[ $(sinfo --noheader --Node --partition=main --format=%T | sort -u) == idle ]]; }
job_is() { [[ $(squeue --noheader --states=all --job="$1" --format=%T) == "$2" ]]; }
steps() { grep -c '"kind":"step"' "$work/runs/$1/metrics.jsonl" 2>/dev/null || true; }
is_at() { (($(steps "$1") + 0 >= $2)); }
comes_further() { until_true 240 is_at "$1" $(($(steps "$1") + 60)); }
has_left_the_queue() { ! squeue --noheader --job="$1" --states=pending,running,completing 2>/dev/null | grep -q .; }
is_finished() { [[ $(uniscale status "$work/runs/$1" --json) == *'"state": "finished"'* ]]; }
rank() { # RUN RANK: its process
    local process
    for process in $(pgrep -f "^[^ ]*uniscale train $work/$1.yaml"); do
        if tr '\0' '\n' 2>/dev/null <"/proc/$process/environ" | grep -qx "SLURM_PROCID=$2"; then echo "$process"; fi
    done
}

make_run() {
    mkdir -p "$work/raw"
    for ((i = 0; i < 40; i++)); do
        for ((line = 0; line < 40; line++)); do echo "The $((i * line % 7)) models of text $line learn $(((i + line) % 13)) words."; done >"$work/raw/$i.txt"
    done
    uniscale data import "$work/raw" --domain books --out "$work/store"
    uniscale tokenizer train "$work/store" --vocabulary 300 --out "$work/t.model" --threads 1
    uniscale data tokenize "$work/store" --tokenizer "$work/t.model" --out "$work/tokens" --workers 1
    for name in whole broken lost; do
        cat >"$work/$name.yaml" <<YAML
name: $name
run_directory: $work/runs/$name
model: { layers: 2, hidden: 64, heads: 2, context: 64 }
data:
  tokenizer: $work/t.model
  sources: [{ name: books, domain: books, shards: ["$work/tokens/books.train"] }]
parallel: { zero: { stage: 1 } }
batch: { global: 8 }
train: { steps: 400, threads: 1 }
checkpoint: { every: 50 }
# Four ranks on few processors are not equally fast; what is planted is slower by far.
preflight: { slow_gemm: 0.05, slow_transfer: 0 }
logging: { peak_flops: 1G, tensor_board: false, every: 100 }
YAML
    done
    cat >>"$work/broken.yaml" <<YAML
faults: { enabled: true, inject: [{ kind: slow-gemm, seconds: 0.2, host: n2, again: true }] }
YAML
}

make_sweep() { # NAME
    cat >"$work/sweep-$1.yaml" <<YAML
name: sweep-$1
directory: $work/runs/sweep-$1
base: whole.yaml
metric: training
cores: 2
stop: { rule: halving, after: 10 }
set: { train.steps: 60, checkpoint.every: 20 }
grid: { optimizer.lr: [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 7e-3, 1e-2] }
YAML
}

submit() { # RUN NODES [OPTION ...]
    sbatch --parsable --nodes="$2" --ntasks-per-node=2 --cpus-per-task=1 --output="$work/runs/%j.log" "$root/scripts/templates/slurm.sbatch" "$work/$1.yaml" "${@:3}"
}

losses() { sed -n 's/^{"kind":"step".*"step":\([0-9]*\),.*"loss":\([^,]*\),.*/\1 \2/p' "$work/runs/$1/metrics.jsonl"; }
weights() { (cd "$work/runs/$1/checkpoints/step-00000400" && sha256sum rank-*.safetensors); }
is_as_whole() {
    is_finished "$1"
    (($(losses "$1" | wc -l) == 400))
    diff <(losses whole) <(losses "$1")
    diff <(weights whole) <(weights "$1")
}

break_ranks() {
    echo "test-slurm: three nodes of which one is a spare, and one has a slow GEMM"
    job=$(submit broken 3 -n 4)
    until_true 240 is_at broken 60
    grep "the preflight refuses n2: rank [23] multiplies" "$work/runs/$job.log"
    grep -q "host n2 was refused by the preflight and is left out" "$work/runs/broken/launch/events.jsonl"

    echo "test-slurm: kill -9 of rank 3"
    kill -9 "$(rank broken 3)"
    until_true 60 grep "rank 3 on n3 failed first: it was ended by signal 9 (Killed). Starting again" "$work/runs/$job.log"
    comes_further broken

    echo "test-slurm: SIGSTOP of rank 1"
    kill -STOP "$(rank broken 1)"
    until_true 60 grep "rank 1 on n1 (process [0-9]*) has not run for" "$work/runs/$job.log"
    comes_further broken

    echo "test-slurm: the signal before the time limit, on which the job queues itself again"
    scancel --signal=USR1 --batch "$job"
    until_true 60 grep "Job $job goes back into the queue" "$work/runs/$job.log"
    until_true 60 job_is "$job" PENDING
    until_true 120 job_is "$job" RUNNING
    comes_further broken

    echo "test-slurm: a pre-emption by a job of a partition with a higher priority"
    urgent=$(sbatch --parsable --partition=urgent --nodes=3 --ntasks-per-node=2 --output=/dev/null --wrap "sleep 3")
    until_true 120 has_left_the_queue "$urgent"
    until_true 120 job_is "$job" RUNNING
    (($(grep -c "Stopped after step" "$work/runs/$job.log") >= 2))
    comes_further broken

    echo "test-slurm: scancel, which is final, and a new job"
    scancel "$job"
    until_true 120 has_left_the_queue "$job"
    job=$(submit broken 3 -n 4)
    until_true 300 has_left_the_queue "$job"
    is_as_whole broken
    uniscale why "$work/runs/broken"
}

lose_host() {
    echo "test-slurm: a host that dies, and a spare in its place"
    job=$(submit lost 3 -n 4)
    until_true 240 is_at lost 60
    kill_host n2
    until_true 120 grep "Host n2 is gone and is left out" "$work/runs/$job.log"
    until_true 300 has_left_the_queue "$job"
    is_as_whole lost
    start_host n2
}

sweep() {
    until_true 60 all_are_idle

    echo "test-slurm: a sweep of 12 runs with successive halving as a job array, cancelled twice"
    make_sweep here
    uniscale sweep "$work/sweep-here.yaml" >"$work/sweep-here.log" 2>&1
    make_sweep array
    runs_begun() { (($(find "$work/runs/sweep-array" -name metrics.jsonl | wc -l) >= $1)); }
    queue() { uniscale sweep "$work/sweep-array.yaml" --submit slurm >>"$work/sweep-array.log" 2>&1; }
    no_jobs() { (($(squeue --noheader | wc -l) == 0)); }
    queue
    until_true 240 runs_begun 5
    scancel --user=root
    until_true 120 no_jobs
    queue
    until_true 400 test -e "$work/runs/sweep-array/task-12.log"
    until_true 400 grep -lq "to step 20" "$work"/runs/sweep-array/task-*.log
    scancel --user=root
    until_true 120 no_jobs
    queue
    until_true 600 test -s "$work/runs/sweep-array/table.csv"
    diff "$work"/runs/sweep-{here,array}/table.csv
    grep "queued as job" "$work/sweep-array.log" "$work"/runs/sweep-array/task-*.log
}

make_run >"$work/make.log" 2>&1
start_slurm
srun --mpi=list 2>&1 | tr '\n' ' '
echo

echo "test-slurm: an unbroken run, on two nodes"
job=$(submit whole 2)
until_true 300 has_left_the_queue "$job"
is_finished whole

for part in "${@:-break_ranks lose_host sweep}"; do for one in $part; do "$one"; done; done
echo "test-slurm: losses and weights of all runs are bit-identical to those of the unbroken one, and so is the table of the sweep"
