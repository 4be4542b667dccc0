#!/usr/bin/env bash
# Everything that the emulator of NCCL can show: all layouts where a device runs one kernel at a time, by the oldest and by the newest version,
# and all faults of communication. Test runs do a short form of it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/tests/NcclEmulator/build.sh" "$root/.build/native/nccl_emulator"
export UNISCALE_COLLECTIVES=nccl
use() {
    UNISCALE_NCCL_LIBRARY=$root/.build/native/nccl_emulator/libnccl_emulator_$1.so
    UNISCALE_CUDART_LIBRARY=$UNISCALE_NCCL_LIBRARY
    NCCL_EMULATOR=$2
    export UNISCALE_NCCL_LIBRARY UNISCALE_CUDART_LIBRARY NCCL_EMULATOR
}
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
use 21805 one_slot=1,jitter=100,communication_delay=100
"$root/scripts/uniscale" verify "$root/configs/tests/verify-tiny.yaml" --layouts all --steps 5
use 22807 jitter=200
"$root/scripts/uniscale" verify "$root/configs/tests/verify-tiny.yaml" --steps 5
use 22807 one_slot=1,jitter=50
"$root/scripts/uniscale" faults "$root/tests/NcclEmulator/faults.yaml" --directory "$runs/threads"
use 22807 alone=1,one_slot=1
"$root/scripts/uniscale" faults "$root/tests/NcclEmulator/faults-processes.yaml" --directory "$runs/processes"
