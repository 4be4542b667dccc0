#!/usr/bin/env bash
# What: three ranks hold the same number in every element (16777216, -16777216 and 1), so every element of their all-reduce is the same sum.
# Open MPI 4.1.4 gives 1 in two thirds of the vector and 0 in the last third, in one call: the thirds are summed in other orders. So it is with
# 1,024 floats and with 4,096 to 32,768, but not with 512, 2,048 or 65,536, nor with two or four ranks. MPICH 4.0.2 has one order at all of
# these sizes. The ranks agree on what they get in every case.
#
# Why it matters: frameworks flatten gradients into buckets, and take their size, order and padding for matters of speed. Here they change the
# sums: moving a parameter within its bucket, or 1,024 elements instead of 2,048, gives other bits, and a rerun with another bucket size
# is another run. A test with 2 or 4 ranks shows none of it. MPI allows this; it only advises the same result for the same call.
#
# What follows: where the same bits are promised across layouts and bucket sizes, the framework sums in an order of its own over messages and
# leaves MPI the copying; a test uses an odd number of ranks and asks for equal sums at all places of the vector.
#
# Needs Debian 12, bash, gcc; as root it installs what is missing. Holds: 0. Changed: 1. Could not be tried: 2.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
packages=(openmpi-bin=4.1.4-3+b1 libopenmpi-dev=4.1.4-3+b1 mpich=4.0.2-3+b1 libmpich-dev=4.0.2-3+b1)
for package in "${packages[@]:0:3}"; do
    [ "$(dpkg-query -W -f='${Version}' "${package%=*}" 2>/dev/null)" = "${package#*=}" ] ||
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$package"; } >log 2>&1 ||
        { tail log; echo "Could not be tried: Debian's $package was not installed."; exit 2; }
done
# Only the headers of MPICH, in this folder: installed, they would take the place of Open MPI's compiler wrappers.
{ apt-get download -qq "${packages[3]}" && dpkg -x libmpich-dev_*.deb headers; } >log 2>&1 ||
    { tail log; echo "Could not be tried: Debian's ${packages[3]} was not to be had."; exit 2; }

cat >sums.c <<'C'
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int count, char **words)
{
    enum { most = 65536 };
    static float mine[most], sums[most], first[most];
    int rank, disagree, any;
    MPI_Init(&count, &words);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    for (int i = 0; i < most; i++) mine[i] = rank == 0 ? 16777216 : rank == 1 ? -16777216 : 1;
    for (int n = 512; n <= most; n *= 2) {
        MPI_Allreduce(mine, sums, n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        memcpy(first, sums, sizeof first);
        MPI_Bcast(first, n, MPI_FLOAT, 0, MPI_COMM_WORLD);
        disagree = memcmp(first, sums, n * sizeof *sums) != 0;
        MPI_Reduce(&disagree, &any, 1, MPI_INT, MPI_MAX, 0, MPI_COMM_WORLD);
        if (rank != 0) continue;
        int others = 0;
        for (int i = 0; i < n; i++) others += sums[i] != sums[0];
        printf("%d:%d+%d%s ", n, n - others, others, any ? "(ranks disagree)" : "");
    }
    MPI_Finalize();
    return 0;
}
C
mpicc.openmpi -O2 sums.c -o open
gcc -O2 -I"$(dirname "$(find headers -name mpi.h)")" sums.c -o mpich -l:libmpich.so.12
for name in "${!OMPI_MCA_@}" "${!MPIR_CVAR_@}"; do unset "$name"; done
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

echo "${packages[*]}"
echo "Elements of an all-reduce of equal elements, as size:(sums equal to the first)+(others)"
for ranks in 2 3 4; do
    open[ranks]=$(timeout 100 mpirun.openmpi --oversubscribe -n $ranks ./open </dev/null)
    mpich[ranks]=$(timeout 100 mpirun.mpich -n $ranks ./mpich </dev/null)
    printf '%s ranks\n  Open MPI %s\n  MPICH    %s\n' $ranks "${open[ranks]}" "${mpich[ranks]}"
done
echo
echo "Good guess: elements that are equal on every rank have equal sums, wherever they stand in the vector."
# mixed TEXT: whether some vector has both sums
mixed() { grep -qE ':[1-9][0-9]*\+[1-9]' <<<"$1"; }
if mixed "${open[2]} ${open[4]} ${mpich[*]}"; then
    echo "Changed: MPICH, or Open MPI with 2 or 4 ranks, has two sums in one vector as well."
    exit 1
fi
if [[ ${open[3]} == *" 1024:683+341 2048:2048+0 4096:2731+1365 "* ]]; then
    echo "Seen: with three ranks, Open MPI sums the thirds of a vector in other orders, at some sizes and not at others."
    exit 0
fi
echo "Changed: Open MPI with three ranks no longer sums by place at the sizes where it did."
exit 1
