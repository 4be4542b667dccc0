#!/bin/sh
# Stands between mpirun or srun and a rank of 'uniscale launch': starts the rank and writes down how it ended before mpirun can know of it and end the others.
# So the first record is the first failure, whatever this mpirun says, and a rank that was killed is named by its host's own word.
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
# mpirun sends signals to the whole group: they are the rank's to answer, and this shell waits for it.
trap : HUP INT TERM USR1 USR2
setpriv --pdeathsig KILL "$@"
status=$?
echo "$status $host" >"$record.exit"
# The MPI's shared memory, that a rank which is killed leaves behind.
if [ "$status" -ne 0 ] && [ -r "$record.shm" ]; then
    while read -r _ name; do rm -f "/dev/shm/${name##*/}"; done <"$record.shm"
fi
exit "$status"
