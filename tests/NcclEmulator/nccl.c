/* NCCL's own functions: communicators that are made and left together, groups of operations that become kernels on streams. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clique.h"
#include "reduction.h"

typedef struct {
    char bytes[128];
} ncclUniqueId;

/* As NCCL 2.18 defines it; later versions append fields. */
typedef struct {
    size_t size;
    unsigned int magic, version;
    int blocking, cgaClusterSize, minCTAs, maxCTAs;
    const char *netName;
    int splitShare;
} ncclConfig_t;

/* What one communicator does in one group: it starts together, and ends when all of it is done. */
struct kernel {
    ncclComm_t comm;
    cudaStream_t stream;
    struct task *tasks;
    long place;  /* among the kernels of the communicator */
    long ticket; /* among the kernels of the device */
    struct kernel *next;
};

static long device_launched[64], device_done[64];
static struct clique *cliques;
static _Thread_local int group_depth;
static _Thread_local struct kernel *group;
static _Thread_local ncclResult_t group_error;

static void pause_with_gate(void)
{
    pthread_mutex_unlock(&clique_gate);
    sleep_microseconds(50);
    pthread_mutex_lock(&clique_gate);
}

static void run(void *argument)
{
    struct kernel *kernel = argument;
    ncclComm_t comm = kernel->comm;
    pthread_mutex_lock(&clique_gate);
    /* The kernels of a communicator run in the order of their launches, whatever their streams. */
    while (!comm->is_aborted && (comm->done < kernel->place || (setting(ONE_SLOT) != 0 && device_done[comm->device] < kernel->ticket)))
        pthread_cond_wait(&clique_changed, &clique_gate);
    pthread_mutex_unlock(&clique_gate);
    sleep_microseconds(setting(COMMUNICATION_DELAY));
    pthread_mutex_lock(&clique_gate);
    /* A list of its own: while they wait, parcels are linked through `next`. */
    int count = 0;
    for (struct task *task = kernel->tasks; task != NULL; task = task->next) count++;
    struct task *tasks[count + 1];
    count = 0;
    for (struct task *task = kernel->tasks; task != NULL; task = task->next) tasks[count++] = task;
    if (!comm->is_aborted && !comm->is_lost)
        for (int i = 0; i < count; i++) arrive(comm->clique, tasks[i]);
    for (int i = 0; i < count; i++)
        while (!comm->is_aborted && !tasks[i]->is_done) pthread_cond_wait(&clique_changed, &clique_gate);
    for (int i = 0; i < count; i++) {
        if (!tasks[i]->is_done) withdraw(comm->clique, tasks[i]);
        free(tasks[i]);
    }
    comm->done++;
    device_done[comm->device]++;
    pthread_cond_broadcast(&clique_changed);
    pthread_mutex_unlock(&clique_gate);
    free(kernel);
}

static void launch(struct kernel *kernel)
{
    ncclComm_t comm = kernel->comm;
    long until_error = setting(ERROR_AFTER);
    if (until_error > 0) {
        set_setting(ERROR_AFTER, until_error - 1);
        if (until_error == 1) {
            comm->is_lost = true;
            comm->state = (ncclResult_t)setting(ERROR);
        }
    }
    kernel->place = comm->launched++;
    kernel->ticket = device_launched[comm->device]++;
    enqueue(kernel->stream, run, kernel);
}

static bool has_duplicate(const struct clique *clique)
{
    for (int a = 0; a < clique->size; a++)
        for (int b = 0; b < a; b++)
            if (clique->members[a] != NULL && clique->members[b] != NULL && clique->members[a]->device == clique->members[b]->device) return true;
    return false;
}

static struct clique *new_clique(int size)
{
    struct clique *clique = calloc(1, sizeof *clique);
    clique->size = size;
    clique->members = calloc((size_t)size, sizeof *clique->members);
    return clique;
}

static ncclComm_t new_comm(struct clique *clique, int rank, int device, bool is_blocking)
{
    ncclComm_t comm = calloc(1, sizeof *comm);
    *comm = (struct ncclComm){.clique = clique, .rank = rank, .device = device, .is_blocking = is_blocking};
    clique->members[rank] = comm;
    clique->joined++;
    return comm;
}

/* Whether a member of the clique has not come to its split of this number. */
static bool is_missing(const struct clique *clique, int member, int splits)
{
    ncclComm_t comm = clique->members[member];
    return comm == NULL ? setting(ALONE) == 0 : comm->splits < splits;
}

/* The communicators that the members' colours and keys mean; called once all have asked. */
static void split(struct clique *clique)
{
    for (int i = 0; i < clique->size; i++) {
        ncclComm_t first = clique->members[i];
        if (first == NULL || first->color < 0 || *first->child != NULL) continue;
        if (setting(ALONE) != 0) {
            *first->child = new_comm(new_clique(clique->size), first->key, first->device, first->is_blocking);
            continue;
        }
        int size = 0;
        for (int j = 0; j < clique->size; j++) size += clique->members[j]->color == first->color;
        struct clique *made = new_clique(size);
        for (int rank = 0; rank < size; rank++) {
            ncclComm_t next = NULL;
            for (int j = 0; j < clique->size; j++) {
                ncclComm_t other = clique->members[j];
                if (other->color == first->color && *other->child == NULL && (next == NULL || other->key < next->key)) next = other;
            }
            *next->child = new_comm(made, rank, next->device, next->is_blocking);
        }
    }
}

/* Ends what is in progress where it can end. */
static void settle(ncclComm_t comm)
{
    if (comm->business == IDLE || now_microseconds() < comm->ready_at) return;
    struct clique *clique = comm->clique;
    switch (comm->business) {
    case JOINING:
        if (clique->joined < clique->size && setting(ALONE) == 0) return;
        /* Two ranks on one device are refused, on all members. */
        comm->state = has_duplicate(clique) ? NCCL_INVALID_USAGE : NCCL_SUCCESS;
        break;
    case SPLITTING:
        for (int i = 0; i < clique->size; i++)
            if (is_missing(clique, i, comm->splits)) return;
        /* Whoever sees it first does it for all; nobody can ask again before he has seen it. */
        if (clique->splits < comm->splits) {
            split(clique);
            clique->splits++;
        }
        comm->state = NCCL_SUCCESS;
        break;
    case LAUNCHING:
        comm->state = NCCL_SUCCESS;
        while (comm->deferred != NULL) {
            struct kernel *kernel = comm->deferred;
            comm->deferred = kernel->next;
            launch(kernel);
        }
        break;
    default:
        if (comm->done < comm->launched) return;
        comm->state = NCCL_SUCCESS;
        break;
    }
    comm->business = IDLE;
}

static ncclResult_t begin(ncclComm_t comm, enum business business)
{
    comm->business = business;
    comm->state = NCCL_IN_PROGRESS;
    comm->ready_at = now_microseconds() + (comm->is_blocking ? 0 : setting(START_DELAY));
    while (comm->is_blocking && comm->business != IDLE) {
        settle(comm);
        if (comm->business != IDLE) pause_with_gate();
    }
    return comm->state;
}

/* A communicator in progress takes no call. */
static bool is_usable(ncclComm_t comm)
{
    return comm != NULL && comm->business == IDLE && comm->state == NCCL_SUCCESS && !comm->is_aborted;
}

EXPORT ncclResult_t ncclGetVersion(int *version)
{
    *version = (int)setting(VERSION);
    return NCCL_SUCCESS;
}

EXPORT const char *ncclGetErrorString(ncclResult_t result)
{
    static const char *const texts[] = {
        "no error", "unhandled cuda error", "unhandled system error", "internal error", "invalid argument", "invalid usage",
        "remote process exited or there was a network error", "NCCL operation in progress",
    };
    return result < 0 || result > 7 ? "unknown result code" : texts[result];
}

EXPORT const char *ncclGetLastError(ncclComm_t comm)
{
    (void)comm;
    return "";
}

EXPORT ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
    static long made;
    pthread_mutex_lock(&clique_gate);
    memset(id, 0, sizeof *id);
    snprintf(id->bytes, sizeof id->bytes, "emulated clique %ld", ++made);
    pthread_mutex_unlock(&clique_gate);
    return NCCL_SUCCESS;
}

EXPORT ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int size, ncclUniqueId id, int rank, const ncclConfig_t *config)
{
    *comm = NULL;
    if (config->size < sizeof(ncclConfig_t) || config->magic != 0xcafebeef || config->version < 21800 || size < 1 || rank < 0 || rank >= size
        || (config->blocking != 0 && config->blocking != 1 && config->blocking != INT_MIN))
        return NCCL_INVALID_ARGUMENT;
    pthread_mutex_lock(&clique_gate);
    struct clique *clique = cliques;
    while (clique != NULL && memcmp(clique->id, id.bytes, sizeof clique->id) != 0) clique = clique->next;
    if (clique == NULL) {
        clique = new_clique(size);
        memcpy(clique->id, id.bytes, sizeof clique->id);
        clique->next = cliques;
        cliques = clique;
    }
    ncclResult_t result = NCCL_INVALID_ARGUMENT;
    if (clique->size == size && clique->members[rank] == NULL) {
        *comm = new_comm(clique, rank, current_device(), config->blocking != 0);
        result = begin(*comm, JOINING);
    }
    pthread_mutex_unlock(&clique_gate);
    return result;
}

#if NCCL_EMULATOR_VERSION >= 21800
EXPORT ncclResult_t ncclCommSplit(ncclComm_t comm, int color, int key, ncclComm_t *child, const ncclConfig_t *config)
{
    if (config != NULL) return NCCL_INVALID_ARGUMENT; /* not emulated */
    pthread_mutex_lock(&clique_gate);
    ncclResult_t result = NCCL_INVALID_ARGUMENT;
    /* Kernels of the parent that are under way may wait for ranks that are already in the split. */
    if (is_usable(comm) && comm->done == comm->launched && color >= -1) {
        *child = NULL;
        comm->color = color;
        comm->key = key;
        comm->child = child;
        comm->splits++;
        result = begin(comm, SPLITTING);
    }
    pthread_mutex_unlock(&clique_gate);
    return result;
}
#endif

EXPORT ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *error)
{
    pthread_mutex_lock(&clique_gate);
    settle(comm);
    *error = comm->state;
    pthread_mutex_unlock(&clique_gate);
    return NCCL_SUCCESS;
}

EXPORT ncclResult_t ncclCommFinalize(ncclComm_t comm)
{
    pthread_mutex_lock(&clique_gate);
    ncclResult_t result = is_usable(comm) ? begin(comm, LEAVING) : NCCL_INVALID_ARGUMENT;
    pthread_mutex_unlock(&clique_gate);
    return result;
}

/* The memory stays: a late member may still look at its clique. */
EXPORT ncclResult_t ncclCommAbort(ncclComm_t comm)
{
    pthread_mutex_lock(&clique_gate);
    comm->is_aborted = true;
    comm->business = IDLE;
    pthread_cond_broadcast(&clique_changed);
    while (comm->done < comm->launched) pthread_cond_wait(&clique_changed, &clique_gate);
    pthread_mutex_unlock(&clique_gate);
    return NCCL_SUCCESS;
}

EXPORT ncclResult_t ncclCommDestroy(ncclComm_t comm)
{
    pthread_mutex_lock(&clique_gate);
    while (!comm->is_aborted && comm->done < comm->launched) pthread_cond_wait(&clique_changed, &clique_gate);
    comm->is_aborted = true;
    pthread_mutex_unlock(&clique_gate);
    return NCCL_SUCCESS;
}

EXPORT ncclResult_t ncclGroupStart(void)
{
    group_depth++;
    return NCCL_SUCCESS;
}

EXPORT ncclResult_t ncclGroupEnd(void)
{
    if (group_depth == 0) return NCCL_INVALID_USAGE;
    if (--group_depth > 0) return NCCL_SUCCESS;
    ncclResult_t result = group_error;
    group_error = NCCL_SUCCESS;
    pthread_mutex_lock(&clique_gate);
    while (group != NULL) {
        struct kernel *kernel = group;
        group = kernel->next;
        kernel->next = NULL;
        if (result != NCCL_SUCCESS && result != NCCL_IN_PROGRESS) continue;
        kernel->comm->deferred = kernel;
        ncclResult_t begun = begin(kernel->comm, LAUNCHING);
        if (begun != NCCL_SUCCESS) result = begun;
    }
    pthread_mutex_unlock(&clique_gate);
    return result;
}

/* Adds a part to the calling thread's group; alone it is a group of one. */
static ncclResult_t add(ncclComm_t comm, cudaStream_t stream, struct task task)
{
    ncclGroupStart();
    stream = real_stream(stream);
    pthread_mutex_lock(&clique_gate);
    bool is_valid = is_usable(comm) && device_of(stream) == comm->device && element_bytes(task.type) > 0
        && (is_reduction(task.op) || task.op < 0) && task.peer >= -1 && task.peer < comm->clique->size;
    if (is_valid) {
        struct kernel **place = &group;
        while (*place != NULL && ((*place)->comm != comm || (*place)->stream != stream)) place = &(*place)->next;
        if (*place == NULL) {
            *place = malloc(sizeof **place);
            **place = (struct kernel){.comm = comm, .stream = stream};
        }
        struct kernel *kernel = *place;
        struct task *made = malloc(sizeof *made);
        *made = task;
        made->rank = comm->rank;
        made->sequence = task.kind == SEND || task.kind == RECEIVE ? -1 : comm->collectives++;
        made->next = NULL;
        struct task **end = &kernel->tasks;
        while (*end != NULL) end = &(*end)->next;
        *end = made;
    } else {
        group_error = NCCL_INVALID_ARGUMENT;
    }
    pthread_mutex_unlock(&clique_gate);
    ncclResult_t result = ncclGroupEnd();
    return is_valid ? result : NCCL_INVALID_ARGUMENT;
}

EXPORT ncclResult_t ncclAllReduce(const void *input, void *output, size_t count, int type, int op, ncclComm_t comm, cudaStream_t stream)
{
    return add(comm, stream, (struct task){ALL_REDUCE, input, output, count, type, op, .peer = -1});
}

EXPORT ncclResult_t ncclReduceScatter(const void *input, void *output, size_t count, int type, int op, ncclComm_t comm, cudaStream_t stream)
{
    return add(comm, stream, (struct task){REDUCE_SCATTER, input, output, count, type, op, .peer = -1});
}

EXPORT ncclResult_t ncclAllGather(const void *input, void *output, size_t count, int type, ncclComm_t comm, cudaStream_t stream)
{
    return add(comm, stream, (struct task){ALL_GATHER, input, output, count, type, -1, .peer = -1});
}

EXPORT ncclResult_t ncclBroadcast(const void *input, void *output, size_t count, int type, int root, ncclComm_t comm, cudaStream_t stream)
{
    return add(comm, stream, (struct task){BROADCAST, input, output, count, type, -1, .peer = root});
}

EXPORT ncclResult_t ncclSend(const void *input, size_t count, int type, int peer, ncclComm_t comm, cudaStream_t stream)
{
    return add(comm, stream, (struct task){SEND, input, NULL, count, type, -1, .peer = peer});
}

EXPORT ncclResult_t ncclRecv(void *output, size_t count, int type, int peer, ncclComm_t comm, cudaStream_t stream)
{
    return add(comm, stream, (struct task){RECEIVE, NULL, output, count, type, -1, .peer = peer});
}

#if NCCL_EMULATOR_VERSION >= 22800
EXPORT ncclResult_t ncclAlltoAll(const void *input, void *output, size_t count, int type, ncclComm_t comm, cudaStream_t stream)
{
    return add(comm, stream, (struct task){ALL_TO_ALL, input, output, count, type, -1, .peer = -1});
}
#endif
