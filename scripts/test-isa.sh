#!/usr/bin/env bash
# Every test as each processor runs it that this one can stand in for, from AVX2 on: UNISCALE_ISA limits the kernels and the libraries
# below them, DOTNET_EnableAVX512 the code of .NET. Arguments as scripts/test.sh takes them. Some minutes a level.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
failed=0
for level in $(scripts/isa.sh); do
    echo "=== $level"
    avx512=1
    [[ $level == avx2 ]] && avx512=0
    UNISCALE_ISA=$level DOTNET_EnableAVX512=$avx512 scripts/test.sh "$@" || failed=1
done
exit $failed
