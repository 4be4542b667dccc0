#include "emulator.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const names[SETTING_COUNT] = {
    "devices", "version", "compute_delay", "communication_delay", "jitter", "start_delay",
    "one_slot", "skip_waits", "error_after", "error", "device_error", "alone", "host_waits",
};

static atomic_long values[SETTING_COUNT] = {[DEVICES] = 8, [VERSION] = NCCL_EMULATOR_VERSION, [START_DELAY] = 20, [ERROR] = 6};

long setting(enum setting which)
{
    return atomic_load(&values[which]);
}

void set_setting(enum setting which, long value)
{
    atomic_store(&values[which], value);
}

static int index_of(const char *name, size_t length)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0) return i;
    fprintf(stderr, "NCCL emulator: there is no setting %.*s\n", (int)length, name);
    abort();
}

int emulator_set(const char *name, long value)
{
    set_setting(index_of(name, strlen(name)), value);
    return 0;
}

long emulator_get(const char *name)
{
    return setting(index_of(name, strlen(name)));
}

__attribute__((constructor)) static void read_environment(void)
{
    const char *text = getenv("NCCL_EMULATOR");
    while (text != NULL && *text != 0) {
        const char *equals = strchr(text, '=');
        if (equals == NULL) {
            fprintf(stderr, "NCCL emulator: NCCL_EMULATOR is not name=number,name=number: %s\n", text);
            abort();
        }
        char *end;
        set_setting(index_of(text, (size_t)(equals - text)), strtol(equals + 1, &end, 10));
        text = *end == ',' ? end + 1 : end;
        if (*end != ',' && *end != 0) abort();
    }
}

void sleep_microseconds(long microseconds)
{
    if (microseconds <= 0) return;
    struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};
    nanosleep(&time, NULL);
}

long now_microseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000L + time.tv_nsec / 1000;
}
