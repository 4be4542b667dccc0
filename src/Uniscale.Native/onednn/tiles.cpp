// Some hypervisors pass the AMX instructions on but hide the CPUID leaf that describes the tiles (1DH). oneDNN sizes its tile
// configuration from that leaf, configures none, and dies of an illegal instruction. Part of every library that reaches
// oneDNN, so that whichever is loaded first says so before oneDNN looks at the processor.
#include <cpuid.h>

#include <cstdlib>

namespace {

bool tiles_are_undescribed() {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
    const bool has_tiles = (edx >> 24) & 1;
    if (!has_tiles) return false;
    return !__get_cpuid_count(0x1D, 0, &eax, &ebx, &ecx, &edx) || eax == 0;
}

__attribute__((constructor)) void keep_onednn_off_undescribed_tiles() {
    if (tiles_are_undescribed()) setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16", 0);
}

}  // namespace
