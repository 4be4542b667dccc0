#!/bin/sh
# Stands between mpirun or srun and a rank of 'uniscale launch': starts the rank and writes down how it ended before mpirun can know of it and end the others.
# So the first record is the first failure, whatever this mpirun says, and a rank that was killed is named by its host's own word.
#
# In a job on several hosts it also brings the signs of life of its host's ranks, which they write to the host's own memory, to the folder that all share.
#
#   sh rank-guard.sh PROGRAM [ARGUMENT ...]      in the folder UNISCALE_LAUNCH_FOLDER: rank-NNNNN.begun and rank-NNNNN.exit
rank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-${PMIX_RANK:-${SLURM_STEP_ID:+$SLURM_PROCID}}}}
if [ -z "$UNISCALE_LAUNCH_FOLDER" ] || [ -z "$rank" ]; then exec "$@"; fi
record=$UNISCALE_LAUNCH_FOLDER/$(printf 'rank-%05d' "$rank")
host=$(uname -n)
host=${host%%.*}
echo "$$ $host" >"$record.begun"
# How the launcher ends the tasks of srun, which outlive it when it is killed.
if [ -n "$SLURM_STEP_ID" ] && [ "$rank" -eq 0 ]; then echo "$SLURM_JOB_ID.$SLURM_STEP_ID" >"$UNISCALE_LAUNCH_FOLDER/slurm-step"; fi
# Beats of all ranks of this host in one write over those of before; journals while somebody asks for them.
gather() {
    cat "$signs"/rank-*.beat 2>/dev/null 1<>"$UNISCALE_LAUNCH_FOLDER/node-$host.beats"
    if [ -e "$UNISCALE_LAUNCH_FOLDER/journals-asked" ]; then cp "$signs"/rank-*.journal "$UNISCALE_LAUNCH_FOLDER/" 2>/dev/null; fi
}
# What guards that were killed have left behind, a while ago.
clean() {
    for old in $(find "${signs%/*}" -maxdepth 1 -name 'uniscale-signs-*' -mmin +10 2>/dev/null); do
        living=
        for here in "$old"/*.here; do if kill -0 "$(cat "$here" 2>/dev/null)" 2>/dev/null; then living=1; fi; done
        [ -n "$living" ] || rm -rf "$old"
    done
}
signs=$UNISCALE_SIGNS_FOLDER
if [ -n "$signs" ] && mkdir -p "$signs" 2>/dev/null; then
    mine=$signs/$(printf 'rank-%05d' "$rank")
    echo "$$" >"$mine.here"
    if [ "${OMPI_COMM_WORLD_LOCAL_RANK:-${MPI_LOCALRANKID:-${SLURM_LOCALID:-0}}}" -eq 0 ]; then
        clean
        # A signal to the group is the rank's to answer: beats go on while it saves.
        (trap '' HUP INT TERM USR1 USR2; while kill -0 "$$" 2>/dev/null; do gather; sleep 1; done) &
        gatherer=$!
    fi
else
    signs=
    unset UNISCALE_SIGNS_FOLDER
fi
# mpirun sends signals to the whole group: they are the rank's to answer, and this shell waits for it.
trap : HUP INT TERM USR1 USR2
setpriv --pdeathsig KILL "$@"
status=$?
if [ -n "$signs" ]; then
    gather
    cp "$mine.journal" "$UNISCALE_LAUNCH_FOLDER/" 2>/dev/null
fi
echo "$status $host" >"$record.exit"
# The MPI's shared memory, that a rank which is killed leaves behind.
if [ "$status" -ne 0 ] && [ -r "$record.shm" ]; then
    while read -r _ name; do rm -f "/dev/shm/${name##*/}"; done <"$record.shm"
fi
if [ -n "$signs" ]; then
    [ -z "$gatherer" ] || kill -KILL "$gatherer" 2>/dev/null
    # The last of the host takes the folder away.
    rm -f "$mine.here"
    set -- "$signs"/*.here
    [ -e "$1" ] || rm -rf "$signs"
fi
exit "$status"
