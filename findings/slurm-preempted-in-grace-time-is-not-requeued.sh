#!/usr/bin/env bash
# What: a job of Slurm that is pre-empted with a grace time (PreemptMode=REQUEUE, GraceTime > 0) and does what the grace time is for, namely saves and ends in order,
# is COMPLETED and not queued again, --requeue or not; one that ignores the signal and is killed is queued again. And the SIGTERM goes to the job's steps alone:
# the batch script, or a launcher that took its place by exec, hears nothing and sees its srun end with code 0.
#
# Why it matters: a training job that saves on SIGTERM is the one that does not come back. Its script takes the end of srun for the end of the run, or looks at
# the run, finds it unfinished and does not know whether a person has stopped it. With GraceTime=0, as small test clusters have it, nothing of this is seen.
#
# What follows: the ranks must tell their launcher that a signal has ended them, and the launcher must call `scontrol requeue` itself while Slurm still shows the job as
# RUNNING; of a job that was cancelled or is queued again already it shows COMPLETING.
#
# Needs root, bash, util-linux, Debian's slurm-wlm (22.05) and munge. Holds: 0. Changed: 1. Could not be tried: 2.
set -euo pipefail
for program in slurmctld slurmd munged; do command -v "$program" >/dev/null || { echo "there is no $program: apt-get install slurm-wlm munge"; exit 2; }; done
((EUID == 0)) || { echo "run it as root: the daemons start jobs"; exit 2; }
folder=$(mktemp -d)
chmod 755 "$folder"
mkdir "$folder/state"
export SLURM_CONF=$folder/slurm.conf
port=$((20000 + RANDOM % 10000))
daemons=()
finish() {
    scancel --user=root 2>/dev/null || true
    for daemon in "${daemons[@]}"; do kill "$daemon" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
until_true() { # SECONDS COMMAND ...
    for ((i = 0; i < $1 * 5; i++)); do
        "${@:2}" >/dev/null 2>&1 && return
        sleep 0.2
    done
    echo "could not be tried: after $1 s still not: ${*:2}"
    exit 2
}
state() { scontrol show job "$1" --oneliner | sed 's/.*JobState=\([A-Z]*\).*/\1/'; }
is() { [[ $(state "$1") == "$2" ]]; }
restarts() { scontrol show job "$1" --oneliner | sed 's/.*Restarts=\([0-9]*\).*/\1/'; }
is_idle() { [[ $(sinfo --noheader --partition=low --format=%T) == idle ]]; }

head -c 1024 /dev/urandom >"$folder/munge.key"
chmod 600 "$folder/munge.key"
cat >"$SLURM_CONF" <<CONF
ClusterName=probe
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=2
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES State=UP PriorityTier=1 GraceTime=10
PartitionName=high Nodes=ALL State=UP PriorityTier=2 PreemptMode=OFF
CONF
munged --foreground --force --num-threads=1 --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/munged.log" --seed-file="$folder/munged.seed" >/dev/null 2>&1 &
daemons+=($!)
until_true 30 test -S "$folder/munge.socket"
slurmctld -D >"$folder/slurmctld.log" 2>&1 &
daemons+=($!)
slurmd -D >"$folder/slurmd.log" 2>&1 &
daemons+=($!)
until_true 60 is_idle

# A step that ends at SIGTERM with code 0, or ignores it, under a batch script that writes down what it hears and sees.
job() { # NAME ACTION
    cat >"$folder/$1.sbatch" <<JOB
#!/usr/bin/env bash
trap 'echo "the script hears SIGTERM" >>$folder/$1.log' TERM
srun sh -c "trap '$2' TERM; touch $folder/$1.begun; while :; do sleep 0.1; done" &
wait \$!
echo "the step ended with code \$?" >>$folder/$1.log
JOB
    sbatch --parsable --requeue --output=/dev/null "$folder/$1.sbatch"
}
preempt() { # NAME JOB
    until_true 60 test -e "$folder/$1.begun"
    local urgent
    urgent=$(sbatch --parsable --partition=high --output=/dev/null --wrap true)
    until_true 120 is "$urgent" COMPLETED
}
obedient=$(job obedient "exit 0")
preempt obedient "$obedient"
sleep 3
echo "the job whose step saves and ends: $(state "$obedient"), restarts $(restarts "$obedient"); $(tr '\n' ';' <"$folder/obedient.log")"
held=0
[[ $(state "$obedient") == COMPLETED && $(restarts "$obedient") == 0 && $(cat "$folder/obedient.log") == "the step ended with code 0" ]] || held=1

deaf=$(job deaf ":")
preempt deaf "$deaf"
echo "the job whose step ignores it: restarts $(restarts "$deaf")"
[[ $(restarts "$deaf") == 1 ]] || held=1
((held == 0)) && echo "It holds: who saves and ends in the grace time is not queued again, and its script hears no SIGTERM." || echo "It has changed."
exit "$held"
