#!/usr/bin/env bash
# cuda_waits.c counts what a library calls by name, loaded out of sight as libtorch is, and not what is called by address. The emulator is the runtime.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cc -std=gnu11 -O1 -fPIC -shared -fvisibility=hidden -DNCCL_EMULATOR_VERSION=22807 -Wl,-soname,libcudart.so.12 "$here"/*.c -o libcudart.so.12 -lpthread
cat >library.c <<'C'
int cudaStreamSynchronize(void *);
int cudaMemcpyAsync(void *, const void *, unsigned long, int, void *);
int read_twice(void)
{
    int from = 7, to = 0;
    for (int i = 0; i < 2; i++) {
        cudaMemcpyAsync(&to, &from, sizeof to, 4, 0);
        if (cudaStreamSynchronize(0) != 0) return -1;
    }
    return to;
}
C
cat >program.c <<'C'
#include <dlfcn.h>
int main(void)
{
    void *library = dlopen("./liblibrary.so", RTLD_LAZY | RTLD_LOCAL);
    if (library == 0 || ((int (*)(void))dlsym(library, "read_twice"))() != 7) return 1;
    void *runtime = dlopen("libcudart.so.12", RTLD_LAZY | RTLD_NOLOAD);
    return ((int (*)(void *))dlsym(runtime, "cudaStreamSynchronize"))(0);
}
C
cc -fPIC -shared library.c -o liblibrary.so ./libcudart.so.12 -Wl,-rpath,"$work"
cc program.c -o program -ldl
cc -std=gnu11 -O2 -Wall -Wextra -Werror -fPIC -shared "$here/../../src/Uniscale.Native/diagnostics/cuda_waits.c" -o libcuda_waits.so
LD_PRELOAD=$work/libcuda_waits.so UNISCALE_CUDA_WAITS=$work/counts ./program
grep -x 'cudaStreamSynchronize 2' counts
