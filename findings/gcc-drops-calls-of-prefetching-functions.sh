#!/usr/bin/env bash
# What: GCC 12.2 (Debian 12) takes a function of which nothing but __builtin_prefetch (or _mm_prefetch) remains for one without effect: where it
# is not inlined, its calls are deleted at -O1 to -O3, without a warning, and no prefetch instruction is in the program. The same loop keeps its prefetches
# where it is inlined before that is decided, and where the instruction is written as volatile assembler. GCC 14.2 (Debian 13) keeps them all.
#
# Why it matters: a kernel that asks for lines of its result in a function of its own, as readable code would, runs as if it did not. Nothing but the
# disassembly shows it, and a measurement of the prefetch says that it brings nothing.
#
# What follows: our GEMM asks for the lines of its result in volatile assembler, which brought 2 to 14 points of its share of the peak where GELU or a
# residual is fused.
#
# Needs root, debootstrap, and 1.5 GB for chroots of Debian 12 and 13. Holds: 0. Changed: 1. Could not be tried: 2.
set -euo pipefail

[[ $EUID -eq 0 ]] && command -v debootstrap >/dev/null || { echo "Could not be tried: a chroot needs root and debootstrap."; exit 2; }
[[ $(uname -m) == x86_64 ]] || { echo "Could not be tried: the instruction looked for is that of x86-64."; exit 2; }
folder=$(mktemp -d)
leave() { umount "$folder"/*/proc 2>/dev/null || true; rm -rf "$folder"; }
trap leave EXIT

# install SUITE PACKAGE=VERSION
install() {
    local suite=$1 root=$folder/$1
    { debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" && cp /etc/resolv.conf "$root/etc/" && mount -t proc proc "$root/proc" &&
        chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libc6-dev "$2"; } >"$folder/log" 2>&1 ||
        { tail "$folder/log"; echo "Could not be tried: $2 of $suite was not installed."; exit 2; }
}
install bookworm gcc-12=12.2.0-14+deb12u1
install trixie gcc-14=14.2.0-19

cat >"$folder/lines.c" <<'C'
#if defined(INLINED)
#define HOW static inline __attribute__((always_inline))
#else
#define HOW static __attribute__((noinline))
#endif
#if defined(ASSEMBLER)
#define ASK(line) __asm__ volatile("prefetcht0 %0" : : "m"(*(line)))
#else
#define ASK(line) __builtin_prefetch(line, 0, 3)
#endif

float sum(const float* values, long count);

HOW void ask(const char* lines, long bytes) {
    for (long at = 0; at < bytes; at += 64) ASK(lines + at);
}

float ahead(const float* values, const float* next, long count) {
    ask((const char*)next, count * (long)sizeof(float));
    return sum(values, count);
}
C

changed=0
# expect VERSION WANTED SUITE COMPILER FLAG...
expect() {
    local version=$1 wanted=$2 root=$folder/$3 compiler=$4 said
    shift 4
    cp "$folder/lines.c" "$root/"
    if chroot "$root" "$compiler" -S -o - "$@" lines.c | grep prefetcht0 >/dev/null; then said=kept; else said=deleted; fi
    echo "gcc $version $*: prefetches are $said"
    [[ $said == "$wanted" ]] || changed=1
}
for level in -O1 -O2 -O3; do
    for built in "12.2.0 deleted bookworm gcc-12" "14.2.0 kept trixie gcc-14"; do
        read -r version called suite compiler <<<"$built"
        expect "$version" "$called" "$suite" "$compiler" "$level"
        expect "$version" kept "$suite" "$compiler" "$level" -DINLINED
        expect "$version" kept "$suite" "$compiler" "$level" -DASSEMBLER
    done
done
((changed == 0)) && echo "Holds." || { echo "Changed."; exit 1; }
