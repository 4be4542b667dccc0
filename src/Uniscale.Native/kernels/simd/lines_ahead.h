// Lines of memory that a GEMM asks for while it computes something else.
#pragma once

#include "parts.h"

namespace uniscale::UNISCALE_SIMD {

// What is multiplied or copied next, in lines of which each register block asks for some. Slowly: the lines that are asked for wait in the
// buffers through which the first-level cache gets its own from the second.
class LinesAhead {
public:
    // So many bytes of each of so many rows, in place of what was expected.
    void expect(const void* first, int64_t bytes, int64_t row_count, int64_t stride_bytes) {
        const bool dense = bytes == stride_bytes;
        start = static_cast<const char*>(first);
        lines = ceiling(dense ? bytes * row_count : bytes, 64), rows = dense ? smaller(row_count, 1) : row_count, stride = stride_bytes;
        line = row = 0;
    }
    void expect_nothing() { rows = row = 0; }

    // The next lines of a row, or null where nothing is left. With the end of a row come lines that lie behind it.
    const char* take(int64_t count) {
        if (row >= rows) return nullptr;
        const char* from = start + row * stride + line * 64;
        line += count;
        if (line >= lines) line = 0, row++;
        return from;
    }

private:
    const char* start = nullptr;
    int64_t lines = 0, rows = 0, stride = 0, line = 0, row = 0;
};

}  // namespace uniscale::UNISCALE_SIMD
