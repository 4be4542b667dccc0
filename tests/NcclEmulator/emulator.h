/*
 * An emulator of the functions of libcudart and libnccl that Uniscale calls, for tests on machines without a GPU. Devices are numbers,
 * device memory is host memory, a stream is a thread with a queue. Meant to be no kinder than the originals: what waits there waits here.
 */
#ifndef NCCL_EMULATOR_H
#define NCCL_EMULATOR_H

#include <stdbool.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

typedef int cudaError_t;
typedef struct stream *cudaStream_t;
typedef struct event *cudaEvent_t;

enum { CUDA_SUCCESS = 0, CUDA_INVALID_VALUE = 1, CUDA_INVALID_DEVICE = 101, CUDA_INVALID_HANDLE = 400, CUDA_NOT_READY = 600 };

/* What a test can set, by name: emulator_set("one_slot", 1), or before the library is loaded NCCL_EMULATOR="one_slot=1,devices=2". */
enum setting {
    DEVICES,             /* devices of this machine */
    VERSION,             /* what ncclGetVersion says */
    COMPUTE_DELAY,       /* microseconds that a copy takes */
    COMMUNICATION_DELAY, /* microseconds that a kernel of NCCL takes before it looks for the others */
    JITTER,              /* every piece of work takes a random time up to this, in microseconds */
    START_DELAY,         /* microseconds during which a non-blocking call is in progress */
    ONE_SLOT,            /* a device runs one kernel of NCCL at a time, in the order of launches */
    SKIP_WAITS,          /* cudaStreamWaitEvent does nothing: 1 on streams of communication, 2 on the device's own stream */
    ERROR_AFTER,         /* kernels of NCCL until one never ends and its communicator reports ERROR; 0: none */
    ERROR,               /* that error; 0: it says nothing */
    DEVICE_ERROR,        /* what cudaEventQuery says instead of the truth; 0: the truth */
    ALONE,               /* ranks of other processes are taken as there, and nothing is moved: for what processes say to each other beside NCCL */
    HOST_WAITS,          /* counts the calls in which the host waits for a device */
    SETTING_COUNT,
};

long setting(enum setting which);
void set_setting(enum setting which, long value);
EXPORT int emulator_set(const char *name, long value);
EXPORT long emulator_get(const char *name);

/* The thread's device; streams and events belong to one. */
int current_device(void);
int device_of(cudaStream_t stream);

/* The stream that a handle means: null is the device's own. */
cudaStream_t real_stream(cudaStream_t stream);

/* Appends work that the stream's thread will do after all that is there. */
void enqueue(cudaStream_t stream, void (*run)(void *), void *argument);

void sleep_microseconds(long microseconds);
long now_microseconds(void);

#endif
