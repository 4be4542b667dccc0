#include "isa.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "kernels.h"

namespace uniscale {
namespace {

// Linux grants the tile registers on request (arch_prctl ARCH_REQ_XCOMP_PERM, component 18).
bool amx_permitted() {
    constexpr long request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

bool has_amx() {
    unsigned eax = 7, ebx = 0, ecx = 0, edx = 0;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    const bool bf16_tiles = (edx >> 22) & 1, tiles = (edx >> 24) & 1;
    return bf16_tiles && tiles && amx_permitted();
}

Isa processor() {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::Baseline;
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (!avx512) return Isa::Avx2;
    if (!__builtin_cpu_supports("avx512bf16")) return Isa::Avx512;
    return has_amx() ? Isa::Amx : Isa::Avx512Bf16;
}

// A name that is unknown or asks for more than there is changes nothing here: the program refuses it before anything runs.
Isa limited(Isa found) {
    const char* wanted = std::getenv("UNISCALE_ISA");
    if (wanted == nullptr) return found;
    static const char* const names[] = {"baseline", "avx2", "avx512", "avx512_bf16", "amx"};
    for (int level = 0; level <= static_cast<int>(found); level++)
        if (std::strcmp(wanted, names[level]) == 0) return static_cast<Isa>(level);
    return found;
}

Isa found() {
    static const Isa level = processor();
    return level;
}

}  // namespace

Isa isa() {
    static const Isa level = limited(found());
    return level;
}

}  // namespace uniscale

int uniscale_isa() { return static_cast<int>(uniscale::isa()); }
int uniscale_processor() { return static_cast<int>(uniscale::found()); }
