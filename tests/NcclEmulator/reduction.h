#ifndef NCCL_EMULATOR_REDUCTION_H
#define NCCL_EMULATOR_REDUCTION_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of an element of NCCL's type; 0: not a type. */
size_t element_bytes(int type);
bool is_reduction(int op);

/*
 * Reduces as a ring does: elements [offset, offset + count) of the sources, beginning with source `start` and going round, rounded to the
 * type after every step. `result` has room for count elements.
 */
void ring_reduce(void *result, const void *const *sources, int source_count, int start, size_t offset, size_t count, int type, int op);

#endif
