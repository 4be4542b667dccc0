// Which instructions the processor has, asked once.
#pragma once

namespace uniscale {

// Ordered: a processor of one level runs the code of every lower one.
enum class Isa : int {
    Baseline = 0,    // less: the program is refused at start
    Avx2 = 1,        // AVX2 and FMA
    Avx512 = 2,      // AVX-512 F, BW, DQ, VL
    Avx512Bf16 = 3,  // and dot products of bf16 pairs
    Amx = 4,         // and bf16 tiles
};

// The processor's level, or the lower one that UNISCALE_ISA names.
Isa isa();

}  // namespace uniscale
