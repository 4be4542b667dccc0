/*
 * Counts how often whoever calls the CUDA runtime by name (libtorch does; Uniscale has addresses) holds the host until a device has come so far. Put before
 * everything by LD_PRELOAD; at the end of the process the counts are in the file that UNISCALE_CUDA_WAITS names. scripts/check-gpu.sh uses it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum wait { STREAM, DEVICE, EVENT, COPY, WAIT_COUNT };

static const char *const names[WAIT_COUNT] = {"cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaMemcpy"};
static long counts[WAIT_COUNT];

/* The runtime itself, which was loaded out of sight of RTLD_NEXT. */
static void *original(enum wait which)
{
    static const char *const libraries[] = {"libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"};
    __atomic_fetch_add(&counts[which], 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
        if (library == NULL) continue;
        void *function = dlsym(library, names[which]);
        dlclose(library);
        if (function != NULL) return function;
    }
    fprintf(stderr, "cuda_waits: %s was called, but no CUDA runtime is loaded\n", names[which]);
    abort();
}

int cudaStreamSynchronize(void *stream)
{
    return ((int (*)(void *))original(STREAM))(stream);
}

int cudaDeviceSynchronize(void)
{
    return ((int (*)(void))original(DEVICE))();
}

int cudaEventSynchronize(void *event)
{
    return ((int (*)(void *))original(EVENT))(event);
}

int cudaMemcpy(void *destination, const void *source, size_t bytes, int kind)
{
    return ((int (*)(void *, const void *, size_t, int))original(COPY))(destination, source, bytes, kind);
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("UNISCALE_CUDA_WAITS");
    FILE *file = path == NULL ? NULL : fopen(path, "w");
    if (file == NULL) return;
    for (int i = 0; i < WAIT_COUNT; i++) fprintf(file, "%s %ld\n", names[i], counts[i]);
    fclose(file);
}
