#include "reduction.h"

#include <stdint.h>
#include <string.h>

enum { INT8, UINT8, INT32, UINT32, INT64, UINT64, FLOAT16, FLOAT32, FLOAT64, BFLOAT16, TYPE_COUNT };
enum { SUM = 0, MAX = 2, MIN = 3 };

typedef uint16_t brain;

static float widen(brain value)
{
    uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

static brain narrow(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value != value) return (brain)(bits >> 16 | 0x40);
    return (brain)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

size_t element_bytes(int type)
{
    static const size_t bytes[TYPE_COUNT] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2};
    return type < 0 || type >= TYPE_COUNT ? 0 : bytes[type];
}

bool is_reduction(int op)
{
    return op == SUM || op == MAX || op == MIN;
}

#define COMBINE(a, b) (op == SUM ? (a) + (b) : op == MAX ? ((a) > (b) ? (a) : (b)) : ((a) < (b) ? (a) : (b)))

#define DEFINE(NAME, TYPE, WIDE, WIDEN, NARROW)                                                          \
    static void NAME(TYPE *result, const TYPE *next, size_t count, int op)                               \
    {                                                                                                    \
        for (size_t i = 0; i < count; i++) {                                                             \
            WIDE a = WIDEN(result[i]), b = WIDEN(next[i]);                                               \
            result[i] = (TYPE)NARROW(COMBINE(a, b));                                                     \
        }                                                                                                \
    }

DEFINE(add_uint8, uint8_t, unsigned, , )
DEFINE(add_int32, int32_t, int32_t, , )
DEFINE(add_int64, int64_t, int64_t, , )
DEFINE(add_float16, _Float16, float, , )
DEFINE(add_float32, float, float, , )
DEFINE(add_float64, double, double, , )
DEFINE(add_brain, brain, float, widen, narrow)

void ring_reduce(void *result, const void *const *sources, int source_count, int start, size_t offset, size_t count, int type, int op)
{
    size_t bytes = element_bytes(type);
    memcpy(result, (const char *)sources[start % source_count] + offset * bytes, count * bytes);
    for (int step = 1; step < source_count; step++) {
        const void *next = (const char *)sources[(start + step) % source_count] + offset * bytes;
        switch (type) {
        case UINT8: add_uint8(result, next, count, op); break;
        case INT32: add_int32(result, next, count, op); break;
        case INT64: add_int64(result, next, count, op); break;
        case FLOAT16: add_float16(result, next, count, op); break;
        case FLOAT32: add_float32(result, next, count, op); break;
        case FLOAT64: add_float64(result, next, count, op); break;
        default: add_brain(result, next, count, op); break;
        }
    }
}
