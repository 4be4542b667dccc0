// Rows that the thread most likely needs for its next item of work, asked for little by little while it computes the present one:
// the rows of a head lie too far apart for the processor to foresee them.
#pragma once

#include <immintrin.h>

#include "vector.h"

namespace uniscale::UNISCALE_SIMD {

class RowsAhead {
public:
    // `count` rows of `dim` elements; of a head that is too long to stay in the cache until then, none.
    template <class T>
    void add(const T* rows, int64_t stride, int64_t dim, int64_t count) {
        constexpr auto size = static_cast<int64_t>(sizeof(T));
        if (count <= 1024) each[operands++] = {reinterpret_cast<const char*>(rows), stride * size, dim * size, count};
    }
    // One row of each.
    void fetch() {
        for (int i = 0; i < operands; i++)
            if (next < each[i].count)
                for (int64_t at = 0; at < each[i].bytes; at += 64) _mm_prefetch(each[i].data + next * each[i].stride + at, _MM_HINT_T1);
        next++;
    }

private:
    struct {
        const char* data;
        int64_t stride, bytes, count;
    } each[4];
    int operands = 0;
    int64_t next = 0;
};

}  // namespace uniscale::UNISCALE_SIMD
