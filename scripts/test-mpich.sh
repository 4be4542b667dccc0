#!/usr/bin/env bash
# Runs the MPI tests on MPICH, beside the Open MPI that setup.sh installs: the Debian packages are unpacked into a folder of
# their own and nothing is installed. usage: scripts/test-mpich.sh [FOLDER] (default: a temporary one, removed at the end)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-}
if [[ -z $folder ]]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder/packages" "$folder/root"
libraries=$folder/root/usr/lib/x86_64-linux-gnu
if [[ ! -e $libraries/libmpich.so.12 ]]; then
    # All that MPICH needs and this machine lacks; libgfortran and libc are there already.
    (
        cd "$folder/packages"
        needed=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
            mpich | grep -E '^(mpich|lib(mpich|hwloc|ucx|slurm|fabric|psm|gfortran|quadmath|ibverbs|rdmacm|numa|efa)[a-z0-9.-]*|ibverbs-providers)$' | sort -u)
        # shellcheck disable=SC2086
        apt-get download -qq $needed
        for package in *.deb; do dpkg -x "$package" "$folder/root"; done
    )
fi
export LD_LIBRARY_PATH=$libraries
export UNISCALE_MPI_LIBRARY=libmpich.so.12
export UNISCALE_TEST_MPIRUN=$folder/root/usr/bin/mpiexec.hydra
"$UNISCALE_TEST_MPIRUN" --version | sed -n 1,2p
cd "$root"
failed=0
for name in Uniscale.Mpi.Tests Uniscale.Collectives.Tests; do
    dotnet build "tests/$name" --configuration Release --nologo --verbosity quiet -clp:NoSummary
    "tests/$name/bin/Release/net10.0/$name" | tail -n 30 || failed=1
done
exit "$failed"
