/* Shifts clocks, preloaded into a controller. CLOCKSHIFT_FILE names a file of two 64-bit numbers: milliseconds that are added to the wall
 * clock, and to the clock that stands still while a machine sleeps (CLOCK_MONOTONIC). It is mapped, so that a test changes it at any time.
 * CLOCK_BOOTTIME is never shifted: no one sets it. The kernel's own timeouts are not shifted either. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *shifts;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void start(void) {
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("CLOCKSHIFT_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (!real || file < 0) return;
    void *mapped = mmap(NULL, 2 * sizeof *shifts, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped == MAP_FAILED) abort();
    shifts = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!real) start();
    int done = real(clock, time);
    if (done != 0 || !shifts) return done;
    int64_t ms = 0;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) ms = shifts[0];
    if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE) ms = shifts[1];
    int64_t ns = time->tv_nsec + ms % 1000 * 1000000;
    time->tv_sec += ms / 1000 + (ns >= 1000000000) - (ns < 0);
    time->tv_nsec = ns + (ns < 0 ? 1000000000 : 0) - (ns >= 1000000000 ? 1000000000 : 0);
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    int done = clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return done;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
