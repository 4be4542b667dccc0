#!/usr/bin/env bash
# The levels of instructions that this processor has, as UNISCALE_ISA names them, from the least: one a line. --below: without the highest.
set -euo pipefail
flags=" $(sed -n 's/^flags[^:]*: //p' /proc/cpuinfo | head -n 1) "
has() { local flag; for flag in "$@"; do [[ $flags == *" $flag "* ]] || return 1; done; }

levels=()
if has avx2 fma; then
    levels+=(avx2)
    if has avx512f avx512bw avx512dq avx512vl; then
        levels+=(avx512)
        if has avx512_bf16; then
            levels+=(avx512_bf16)
            if has amx_tile amx_bf16; then levels+=(amx); fi
        fi
    fi
fi
if [[ ${1:-} == --below ]]; then levels=("${levels[@]:0:${#levels[@]}-1}"); fi
((${#levels[@]} == 0)) || printf '%s\n' "${levels[@]}"
