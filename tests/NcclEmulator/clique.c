#include "clique.h"

#include <stdlib.h>
#include <string.h>

#include "reduction.h"

pthread_mutex_t clique_gate = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t clique_changed = PTHREAD_COND_INITIALIZER;

/* The members' parts of one collective. */
struct meeting {
    long sequence;
    int arrived;
    struct meeting *next;
    struct task *tasks[];
};

static const char *at(const void *memory, size_t elements, int type)
{
    return (const char *)memory + elements * element_bytes(type);
}

static void reduce(struct meeting *meeting, int size, bool scatters)
{
    const struct task *first = meeting->tasks[0];
    const void *sources[size];
    for (int rank = 0; rank < size; rank++) sources[rank] = meeting->tasks[rank]->input;
    size_t whole = scatters ? first->count * (size_t)size : first->count;
    void *all = malloc(whole * element_bytes(first->type) + 1);
    for (int part = 0; part < size; part++) {
        size_t start = whole * (size_t)part / (size_t)size, end = whole * (size_t)(part + 1) / (size_t)size;
        ring_reduce((void *)at(all, start, first->type), sources, size, part + 1, start, end - start, first->type, first->op);
    }
    size_t bytes = first->count * element_bytes(first->type);
    for (int rank = 0; rank < size; rank++)
        memcpy(meeting->tasks[rank]->output, at(all, scatters ? first->count * (size_t)rank : 0, first->type), bytes);
    free(all);
}

static void exchange(struct meeting *meeting, int size)
{
    const struct task *first = meeting->tasks[0];
    size_t bytes = first->count * element_bytes(first->type);
    for (int to = 0; to < size; to++)
        for (int from = 0; from < size; from++) {
            const struct task *source = meeting->tasks[from];
            char *output = meeting->tasks[to]->output;
            if (first->kind == ALL_GATHER) memmove(output + bytes * (size_t)from, source->input, bytes);
            else if (first->kind == ALL_TO_ALL) memmove(output + bytes * (size_t)from, (const char *)source->input + bytes * (size_t)to, bytes);
            else if (from == first->peer) memmove(output, source->input, bytes);
        }
}

static void hold(struct meeting *meeting, int size)
{
    const struct task *first = meeting->tasks[0];
    for (int rank = 1; rank < size; rank++) {
        const struct task *other = meeting->tasks[rank];
        /* Ranks that ask for different things are not told so: they hang. */
        if (other->kind != first->kind || other->count != first->count || other->type != first->type || other->op != first->op
            || other->peer != first->peer)
            return;
    }
    if (first->kind == ALL_REDUCE || first->kind == REDUCE_SCATTER) reduce(meeting, size, first->kind == REDUCE_SCATTER);
    else exchange(meeting, size);
    for (int rank = 0; rank < size; rank++) meeting->tasks[rank]->is_done = true;
}

static void meet(struct clique *clique, struct task *task)
{
    struct meeting **place = &clique->meetings;
    while (*place != NULL && (*place)->sequence != task->sequence) place = &(*place)->next;
    if (*place == NULL) {
        *place = calloc(1, sizeof **place + sizeof(struct task *) * (size_t)clique->size);
        (*place)->sequence = task->sequence;
    }
    struct meeting *meeting = *place;
    meeting->tasks[task->rank] = task;
    if (++meeting->arrived < clique->size) return;
    hold(meeting, clique->size);
    if (!task->is_done) return;
    *place = meeting->next;
    free(meeting);
}

static bool is_other_side(const struct task *a, const struct task *b)
{
    return a->kind != b->kind && a->peer == b->rank && a->rank == b->peer;
}

static void deliver(struct clique *clique, struct task *task)
{
    struct task **place = &clique->parcels;
    while (*place != NULL && !is_other_side(*place, task)) place = &(*place)->next;
    if (*place == NULL) {
        task->next = NULL;
        *place = task;
        return;
    }
    struct task *other = *place;
    if (other->count != task->count || other->type != task->type) return; /* hangs, as collectives of different sizes do */
    *place = other->next;
    const struct task *send = task->kind == SEND ? task : other, *receive = task->kind == SEND ? other : task;
    memmove(receive->output, send->input, send->count * element_bytes(send->type));
    task->is_done = other->is_done = true;
}

void arrive(struct clique *clique, struct task *task)
{
    if (setting(ALONE) != 0) task->is_done = true;
    else if (task->kind == SEND || task->kind == RECEIVE) deliver(clique, task);
    else meet(clique, task);
    pthread_cond_broadcast(&clique_changed);
}

void withdraw(struct clique *clique, struct task *task)
{
    for (struct task **place = &clique->parcels; *place != NULL; place = &(*place)->next)
        if (*place == task) {
            *place = task->next;
            return;
        }
    for (struct meeting **place = &clique->meetings; *place != NULL; place = &(*place)->next) {
        struct meeting *meeting = *place;
        if (meeting->tasks[task->rank] != task) continue;
        meeting->tasks[task->rank] = NULL;
        meeting->arrived = -clique->size; /* nobody will ever hold it */
        return;
    }
}
