#!/usr/bin/env bash
# What: with -O3 -mavx2 -mfma and no -march or -mtune, GCC 12.2 makes a fused multiply-add of every s += a * b. GCC 12.4, 13.3 and 14.2 make none of 256
# bits where the sum is one chain (each addition waits for the last), and a multiplication and an addition instead; where the same loop holds six
# chains side by side they fuse them. So the same sum over the same numbers has other bits in a block of one row than in a block of six. On registers
# of 512 bits, and with --param=avoid-fma-max-bits=0, all are fused.
#
# Why it matters: GEMM kernels treat rows in blocks of several and the rest one by one. Whoever relies on a row's bits not depending on how many
# rows are computed beside it (inference that is the same for any batch) loses that by a newer compiler, without a warning and on AVX2 alone.
#
# What follows: the kernels are built with that parameter where the compiler knows it, and the tests of batch invariance run on every instruction
# set, on every Debian that is promised.
#
# Needs root, debootstrap, a processor with AVX2, and 2 GB for chroots of Debian 12 and 13. Holds: 0. Changed: 1. Could not be tried: 2.
set -euo pipefail

grep -q ' avx2' /proc/cpuinfo || { echo "Could not be tried: this processor has no AVX2."; exit 2; }
[[ $EUID -eq 0 ]] && command -v debootstrap >/dev/null || { echo "Could not be tried: a chroot needs root and debootstrap."; exit 2; }
folder=$(mktemp -d)
leave() { umount "$folder"/*/proc 2>/dev/null || true; rm -rf "$folder"; }
trap leave EXIT

# install SUITE PACKAGE=VERSION...
install() {
    local suite=$1 root=$folder/$1
    shift
    { debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" && cp /etc/resolv.conf "$root/etc/" && mount -t proc proc "$root/proc" &&
        chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libc6-dev "$@"; } >"$folder/log" 2>&1 ||
        { tail "$folder/log"; echo "Could not be tried: $* of $suite were not installed."; exit 2; }
}
install bookworm gcc-12=12.2.0-14+deb12u1
install trixie gcc-12=12.4.0-5 gcc-13=13.3.0-16 gcc-14=14.2.0-19

cat >"$folder/rows.c" <<'C'
#include <stdio.h>
#include <string.h>

typedef float Vector __attribute__((vector_size(32)));
enum { depth = 300, rows = 6 };
static float a[rows][depth];
static Vector b[depth];

__attribute__((noinline)) static Vector alone(const float* row) {
    Vector sum = {0};
    for (int i = 0; i < depth; i++) sum += row[i] * b[i];
    return sum;
}

__attribute__((noinline)) static void together(Vector* out) {
    Vector s[rows] = {0};
    for (int i = 0; i < depth; i++)
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) s[r] += a[r][i] * b[i];
    memcpy(out, s, sizeof s);
}

int main(void) {
    for (int i = 0; i < depth; i++) {
        for (int r = 0; r < rows; r++) a[r][i] = (float)(i * (r + 7) % 101) / 37;
        for (int lane = 0; lane < 8; lane++) b[i][lane] = (float)((i + lane) * 13 % 97) / 29;
    }
    Vector block[rows], one = alone(a[0]);
    together(block);
    puts(memcmp(&one, &block[0], sizeof one) == 0 ? "the same bits" : "other bits");
    return 0;
}
C

changed=0
# expect VERSION WANTED SUITE COMPILER FLAG...
expect() {
    local version=$1 wanted=$2 root=$folder/$3 compiler=$4 said
    shift 4
    cp "$folder/rows.c" "$root/"
    chroot "$root" "$compiler" -O3 -mavx2 -mfma -Wno-psabi "$@" rows.c -o rows
    said=$(chroot "$root" ./rows)
    echo "gcc $version${*:+ with $*}: a row alone and the same row in a block of six have $said"
    [[ $said == "$wanted" ]] || changed=1
}
expect 12.2.0 "the same bits" bookworm gcc-12
expect 12.4.0 "other bits" trixie gcc-12
expect 13.3.0 "other bits" trixie gcc-13
expect 14.2.0 "other bits" trixie gcc-14
expect 14.2.0 "the same bits" trixie gcc-14 --param=avoid-fma-max-bits=0
((changed == 0)) && echo "Holds." || { echo "Changed."; exit 1; }
