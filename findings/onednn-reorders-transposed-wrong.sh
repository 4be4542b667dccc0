#!/usr/bin/env bash
# What: a weight matrix of fp32 that lies transposed (strides 1 and k) is brought by dnnl::reorder into the order that a matmul asks for with
# format_tag::any. oneDNN 3.7.2 (Debian 13) does it without an error and with wrong values on AVX-512 wherever the number of columns is no
# multiple of 64; with a multiple of 64 it is right, and so is the way by a dense copy: transposed to plain rows, then to the asked order.
#
# Why it matters: weights are kept as [out, in], so every y = x·Wᵀ with weights packed once and used often goes this way. Common widths are
# multiples of 64; vocabularies, heads of classifiers and odd feed-forward widths are not, and there a model trains on wrong products.
#
# What follows: with oneDNN 3 a transposed matrix goes to plain rows first. Products are tested at odd sizes with packed, transposed operands on
# every Debian that is promised, and not on one alone.
#
# Needs root, debootstrap, a processor with AVX-512, and 1 GB for a chroot of Debian 13. Holds: 0. Changed: 1. Could not be tried: 2.
set -euo pipefail

grep -q avx512f /proc/cpuinfo || { echo "Could not be tried: this processor has no AVX-512."; exit 2; }
[[ $EUID -eq 0 ]] && command -v debootstrap >/dev/null || { echo "Could not be tried: a chroot needs root and debootstrap."; exit 2; }
folder=$(mktemp -d)
leave() { umount "$folder/root/proc" 2>/dev/null || true; rm -rf "$folder"; }
trap leave EXIT
{ debootstrap --variant=minbase --include=ca-certificates trixie "$folder/root" &&
    cp /etc/resolv.conf "$folder/root/etc/" && mount -t proc proc "$folder/root/proc" &&
    chroot "$folder/root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends g++ libdnnl-dev=3.7.2+ds-2; } >"$folder/log" 2>&1 ||
    { tail "$folder/log"; echo "Could not be tried: Debian 13 with its libdnnl-dev 3.7.2+ds-2 was not installed."; exit 2; }

cat >"$folder/root/reorder.cpp" <<'CPP'
#include <dnnl.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

using dnnl::memory;

// Greatest error of a[m, k] · b[k, n] whose b lies transposed; by_rows: it is made dense first.
double error(long k, long n, bool by_rows) {
    const long m = 8;
    dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    dnnl::stream stream(engine);
    std::vector<float> a(m * k), b(n * k), c(m * n);
    for (size_t i = 0; i < a.size(); i++) a[i] = static_cast<float>(i * 7 % 13) - 6;
    for (size_t i = 0; i < b.size(); i++) b[i] = static_cast<float>(i * 5 % 11) - 5;
    const auto type = memory::data_type::f32;
    memory::desc left({m, k}, type, memory::format_tag::ab), transposed({k, n}, type, memory::format_tag::ba), rows({k, n}, type, memory::format_tag::ab);
    memory::desc any({k, n}, type, memory::format_tag::any), result({m, n}, type, memory::format_tag::ab);
    dnnl::matmul::primitive_desc matmul(engine, left, any, result);
    memory in(left, engine, a.data()), plain(transposed, engine, b.data()), dense(rows, engine), packed(matmul.weights_desc(), engine), out(result, engine, c.data());
    if (by_rows) dnnl::reorder(plain, dense).execute(stream, plain, dense);
    dnnl::reorder(by_rows ? dense : plain, packed).execute(stream, by_rows ? dense : plain, packed);
    dnnl::matmul(matmul).execute(stream, {{DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, packed}, {DNNL_ARG_DST, out}});
    stream.wait();
    double worst = 0;
    for (long i = 0; i < m; i++)
        for (long j = 0; j < n; j++) {
            double sum = 0;
            for (long t = 0; t < k; t++) sum += a[i * k + t] * static_cast<double>(b[j * k + t]);
            worst = std::fmax(worst, std::fabs(sum - c[i * n + j]));
        }
    return worst;
}

int main() {
    const auto* version = dnnl::version();
    std::printf("oneDNN %d.%d.%d\n", version->major, version->minor, version->patch);
    bool holds = true;
    for (long k : {32, 96, 512})
        for (long n : {16, 48, 64, 100, 128, 512}) {
            const double straight = error(k, n, false), by_rows = error(k, n, true);
            std::printf("k %4ld n %4ld: error %6g, by a dense copy %g\n", k, n, straight, by_rows);
            holds = holds && (straight == 0) == (n % 64 == 0) && by_rows == 0;
        }
    return holds ? 0 : 1;
}
CPP
chroot "$folder/root" bash -c "g++ -O1 -std=c++17 reorder.cpp -o reorder -ldnnl && ./reorder" ||
    { echo "Changed: wrong values no longer come exactly where the number of columns is no multiple of 64."; exit 1; }
echo "Holds: transposed fp32 weights are packed wrong where their columns are no multiple of 64, and right by a dense copy."
