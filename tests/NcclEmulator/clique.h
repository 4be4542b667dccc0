/* Communicators, and where their operations meet. All of it is guarded by one lock. */
#ifndef NCCL_EMULATOR_CLIQUE_H
#define NCCL_EMULATOR_CLIQUE_H

#include <pthread.h>

#include "emulator.h"

typedef int ncclResult_t;

enum {
    NCCL_SUCCESS = 0,
    NCCL_INTERNAL_ERROR = 3,
    NCCL_INVALID_ARGUMENT = 4,
    NCCL_INVALID_USAGE = 5,
    NCCL_IN_PROGRESS = 7,
};

enum kind { ALL_REDUCE, REDUCE_SCATTER, ALL_GATHER, BROADCAST, ALL_TO_ALL, SEND, RECEIVE };

/* One rank's part of an operation. */
struct task {
    enum kind kind;
    const void *input;
    void *output;
    size_t count; /* as the function of NCCL counts it */
    int type, op, peer;
    int rank;
    long sequence; /* place among the collectives of the communicator */
    bool is_done;
    struct task *next;
};

/* Ranks that have a communicator in common. */
struct clique {
    char id[128];
    int size, joined, splits;
    struct ncclComm **members;
    struct meeting *meetings;
    struct task *parcels; /* sends and receives that have not met */
    struct clique *next;
};

enum business { IDLE, JOINING, SPLITTING, LAUNCHING, LEAVING };

struct ncclComm {
    struct clique *clique;
    int rank, device;
    bool is_blocking, is_aborted, is_lost;
    enum business business; /* what is in progress */
    long ready_at;
    ncclResult_t state;
    long collectives, launched, done;
    struct kernel *deferred; /* launched once the call is no longer in progress */
    int color, key, splits;
    struct ncclComm **child;
};

typedef struct ncclComm *ncclComm_t;

extern pthread_mutex_t clique_gate;
extern pthread_cond_t clique_changed;

/* A part of an operation arrives; the last one does it for all. */
void arrive(struct clique *clique, struct task *task);

/* Parts of an operation that will never be done. */
void withdraw(struct clique *clique, struct task *task);

#endif
