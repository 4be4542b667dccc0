/* Streams and events. A stream does one thing after another; nothing else orders anything. */
#include "emulator.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEVICES 64

struct item {
    void (*run)(void *);
    void *argument;
    struct item *next;
};

struct stream {
    int device;
    pthread_mutex_t gate;
    pthread_cond_t changed;
    struct item *first, *last;
    long queued, done;
    bool is_ending;
};

struct event {
    int device;
    int references;
    long recorded, completed; /* how often it was recorded; the last record that a stream has come to */
};

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* of events and of the devices' own streams */
static pthread_cond_t event_completed = PTHREAD_COND_INITIALIZER;
static cudaStream_t own_streams[MAX_DEVICES];
static _Thread_local int device;
static _Thread_local unsigned int random_state;

static void *work(void *argument)
{
    cudaStream_t stream = argument;
    random_state = (unsigned int)(uintptr_t)stream | 1;
    pthread_mutex_lock(&stream->gate);
    while (true) {
        while (stream->first == NULL && !stream->is_ending) pthread_cond_wait(&stream->changed, &stream->gate);
        struct item *item = stream->first;
        if (item == NULL) break;
        stream->first = item->next;
        pthread_mutex_unlock(&stream->gate);
        long jitter = setting(JITTER);
        if (jitter > 0) sleep_microseconds(rand_r(&random_state) % jitter);
        item->run(item->argument);
        free(item);
        pthread_mutex_lock(&stream->gate);
        stream->done++;
        pthread_cond_broadcast(&stream->changed);
    }
    pthread_mutex_unlock(&stream->gate);
    free(stream);
    return NULL;
}

static cudaStream_t start_stream(int of_device)
{
    cudaStream_t stream = calloc(1, sizeof *stream);
    stream->device = of_device;
    pthread_mutex_init(&stream->gate, NULL);
    pthread_cond_init(&stream->changed, NULL);
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, stream) != 0) abort();
    pthread_detach(thread);
    return stream;
}

void enqueue(cudaStream_t stream, void (*run)(void *), void *argument)
{
    struct item *item = malloc(sizeof *item);
    *item = (struct item){run, argument, NULL};
    pthread_mutex_lock(&stream->gate);
    if (stream->first == NULL) stream->first = item;
    else stream->last->next = item;
    stream->last = item;
    stream->queued++;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->gate);
}

int current_device(void)
{
    return device;
}

int device_of(cudaStream_t stream)
{
    return stream->device;
}

cudaStream_t real_stream(cudaStream_t stream)
{
    if (stream != NULL) return stream;
    pthread_mutex_lock(&gate);
    if (own_streams[device] == NULL) own_streams[device] = start_stream(device);
    stream = own_streams[device];
    pthread_mutex_unlock(&gate);
    return stream;
}

static bool is_own(cudaStream_t stream)
{
    return own_streams[stream->device] == stream;
}

EXPORT const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
    case CUDA_SUCCESS: return "no error";
    case CUDA_INVALID_VALUE: return "invalid argument";
    case CUDA_INVALID_DEVICE: return "invalid device ordinal";
    case CUDA_INVALID_HANDLE: return "invalid resource handle";
    case CUDA_NOT_READY: return "device not ready";
    default: return "an injected error of the device";
    }
}

EXPORT cudaError_t cudaGetDeviceCount(int *count)
{
    *count = (int)setting(DEVICES);
    return CUDA_SUCCESS;
}

EXPORT cudaError_t cudaSetDevice(int number)
{
    if (number < 0 || number >= setting(DEVICES) || number >= MAX_DEVICES) return CUDA_INVALID_DEVICE;
    device = number;
    return CUDA_SUCCESS;
}

EXPORT cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags)
{
    /* A stream that waits for the device's own one would order by accident what events have to order. */
    if (flags != 1) return CUDA_INVALID_VALUE;
    *stream = start_stream(device);
    return CUDA_SUCCESS;
}

EXPORT cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    pthread_mutex_lock(&stream->gate);
    stream->is_ending = true;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->gate);
    return CUDA_SUCCESS;
}

EXPORT cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    stream = real_stream(stream);
    set_setting(HOST_WAITS, setting(HOST_WAITS) + 1);
    pthread_mutex_lock(&stream->gate);
    long until = stream->queued;
    while (stream->done < until) pthread_cond_wait(&stream->changed, &stream->gate);
    pthread_mutex_unlock(&stream->gate);
    return CUDA_SUCCESS;
}

static void release(cudaEvent_t event)
{
    if (--event->references == 0) free(event);
}

EXPORT cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags)
{
    if (flags != 2) return CUDA_INVALID_VALUE; /* a timed event costs what nobody here asks for */
    *event = calloc(1, sizeof **event);
    (*event)->device = device;
    (*event)->references = 1;
    return CUDA_SUCCESS;
}

EXPORT cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    pthread_mutex_lock(&gate);
    release(event);
    pthread_mutex_unlock(&gate);
    return CUDA_SUCCESS;
}

/* One record of an event, on its way through a stream. */
struct mark {
    cudaEvent_t event;
    long number;
};

static struct mark *mark_of(cudaEvent_t event)
{
    struct mark *mark = malloc(sizeof *mark);
    *mark = (struct mark){event, event->recorded};
    event->references++;
    return mark;
}

static void complete(void *argument)
{
    struct mark *mark = argument;
    pthread_mutex_lock(&gate);
    if (mark->event->completed < mark->number) mark->event->completed = mark->number;
    release(mark->event);
    pthread_cond_broadcast(&event_completed);
    pthread_mutex_unlock(&gate);
    free(mark);
}

static void await(void *argument)
{
    struct mark *mark = argument;
    pthread_mutex_lock(&gate);
    while (mark->event->completed < mark->number) pthread_cond_wait(&event_completed, &gate);
    release(mark->event);
    pthread_mutex_unlock(&gate);
    free(mark);
}

EXPORT cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    stream = real_stream(stream);
    if (event->device != stream->device) return CUDA_INVALID_HANDLE;
    pthread_mutex_lock(&gate);
    event->recorded++;
    struct mark *mark = mark_of(event);
    pthread_mutex_unlock(&gate);
    enqueue(stream, complete, mark);
    return CUDA_SUCCESS;
}

EXPORT cudaError_t cudaEventQuery(cudaEvent_t event)
{
    if (setting(DEVICE_ERROR) != 0) return (cudaError_t)setting(DEVICE_ERROR);
    pthread_mutex_lock(&gate);
    bool is_complete = event->completed == event->recorded;
    pthread_mutex_unlock(&gate);
    return is_complete ? CUDA_SUCCESS : CUDA_NOT_READY;
}

EXPORT cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags)
{
    if (flags != 0) return CUDA_INVALID_VALUE;
    stream = real_stream(stream);
    if (setting(SKIP_WAITS) == (is_own(stream) ? 2 : 1)) return CUDA_SUCCESS;
    pthread_mutex_lock(&gate);
    struct mark *mark = mark_of(event); /* what was recorded last, now; later records do not count */
    pthread_mutex_unlock(&gate);
    enqueue(stream, await, mark);
    return CUDA_SUCCESS;
}

EXPORT cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    *memory = malloc(bytes);
    if (*memory != NULL) memset(*memory, 0xA5, bytes);
    return *memory == NULL ? 2 : CUDA_SUCCESS;
}

EXPORT cudaError_t cudaFree(void *memory)
{
    free(memory);
    return CUDA_SUCCESS;
}

EXPORT cudaError_t cudaHostAlloc(void **memory, size_t bytes, unsigned int flags)
{
    return flags == 0 ? cudaMalloc(memory, bytes) : CUDA_INVALID_VALUE;
}

EXPORT cudaError_t cudaFreeHost(void *memory)
{
    return cudaFree(memory);
}

EXPORT cudaError_t cudaMemGetInfo(size_t *unused, size_t *total)
{
    *unused = (size_t)3 << 30;
    *total = (size_t)4 << 30;
    return CUDA_SUCCESS;
}

struct copy {
    void *destination;
    const void *source;
    size_t bytes;
};

static void copy(void *argument)
{
    struct copy *what = argument;
    sleep_microseconds(setting(COMPUTE_DELAY));
    memcpy(what->destination, what->source, what->bytes);
    free(what);
}

EXPORT cudaError_t cudaMemcpyAsync(void *destination, const void *source, size_t bytes, int kind, cudaStream_t stream)
{
    (void)kind;
    struct copy *what = malloc(sizeof *what);
    *what = (struct copy){destination, source, bytes};
    enqueue(real_stream(stream), copy, what);
    return CUDA_SUCCESS;
}
