// Scratch memory of a kernel's team of threads.
#pragma once

#include "vector.h"

namespace uniscale::UNISCALE_SIMD {

// One Scratch for each thread of a team. The calling thread owns them and keeps them for its next call: a lack of memory is thrown
// there, not inside the team, and large blocks are not given back to the system between two calls.
template <class Scratch>
Scratch* scratch_of(int team) {
    thread_local struct Owned {
        Scratch* each = nullptr;
        int count = 0;
        ~Owned() { delete[] each; }
    } owned;
    if (owned.count < team) {
        delete[] owned.each;
        owned.count = 0;
        owned.each = nullptr;
        owned.each = new Scratch[static_cast<size_t>(team)];
        owned.count = team;
    }
    return owned.each;
}

}  // namespace uniscale::UNISCALE_SIMD
