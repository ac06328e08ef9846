/* A disk that forgets at a power cut what was not synced: preloaded into a controller, it journals what the disk has been promised.
 *
 * POWERLOSS_ROOT: the directory that is watched (absolute). POWERLOSS_VAULT: a directory of the same file system that gets a hard link
 * to every file that ever was below the root, named by its inode, so that inodes are never reused and content outlives its names.
 * POWERLOSS_JOURNAL: the file that gets the lines. POWERLOSS_LIE: if set, a sync of a file whose name ends so is answered and not done.
 *
 * A line is written after what it tells of, so that a kill in between leaves the disk with less. Changes of names hold a lock until
 * their line is written; a directory's sync holds it too: what the journal shows before the sync was done before the sync.
 *
 *   C ino path        a new file              S ino size   its first `size` bytes are on disk
 *   R ino from\tto    renamed                 T ino size   cut, or grown, to `size`
 *   U path            unlinked                M path / X path   directory made / removed
 *   D path            the names in this directory are on disk
 *
 * It never changes what a call does or answers (but for POWERLOSS_LIE), and computes nothing: that is done by disk.rs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM (PATH_MAX + 64)

static const char *root, *vault, *lie;
static int journal = -1;
static pthread_mutex_t names = PTHREAD_MUTEX_INITIALIZER;

static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

__attribute__((constructor)) static void start(void) {
    root = getenv("POWERLOSS_ROOT");
    vault = getenv("POWERLOSS_VAULT");
    lie = getenv("POWERLOSS_LIE");
    const char *path = getenv("POWERLOSS_JOURNAL");
    if (!root || !vault || !path) return;
    int (*real)(const char *, int, ...) = next("open");
    journal = real(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (journal < 0) abort();
}

/* The path below the root, or NULL if it is elsewhere. The root itself is "". */
static const char *below(const char *path) {
    if (journal < 0 || !path) return NULL;
    size_t length = strlen(root);
    if (strncmp(path, root, length) != 0) return NULL;
    if (path[length] == 0) return path + length;
    return path[length] == '/' ? path + length + 1 : NULL;
}

static const char *of_fd(int fd, char *room) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, room, PATH_MAX - 1);
    if (length < 0) return NULL;
    room[length] = 0;
    return room;
}

static const char *at(int dir, const char *path, char *room) {
    if (path[0] == '/' || dir == AT_FDCWD || journal < 0) return path;
    if (!of_fd(dir, room) || strlen(room) + strlen(path) + 2 > PATH_MAX) return NULL;
    strcat(room, "/");
    return strcat(room, path);
}

static void tell(const char *format, ...) {
    char line[2 * ROOM];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    /* Half a line would make the whole journal worthless. */
    if (write(journal, line, length) != length) abort();
}

static void keep(const char *path, unsigned long ino) {
    char kept[ROOM];
    snprintf(kept, sizeof kept, "%s/%lu", vault, ino);
    if (link(path, kept) != 0 && errno != EEXIST) abort();
}

static int opening(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    const char *name = below(path);
    if (!name || !(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE) return real(path, flags, mode);
    struct stat before, after;
    pthread_mutex_lock(&names);
    int existed = stat(path, &before) == 0;
    int fd = real(path, flags, mode);
    int error = errno;
    if (fd >= 0 && fstat(fd, &after) == 0 && S_ISREG(after.st_mode)) {
        if (!existed) {
            keep(path, after.st_ino);
            tell("C %lu %s\n", (unsigned long)after.st_ino, name);
        } else if (flags & O_TRUNC) {
            tell("T %lu 0\n", (unsigned long)after.st_ino);
        }
    }
    pthread_mutex_unlock(&names);
    errno = error;
    return fd;
}

#define MODE(flags)                                     \
    mode_t mode = 0;                                    \
    if ((flags) & (O_CREAT | O_TMPFILE)) {              \
        va_list values;                                 \
        va_start(values, flags);                        \
        mode = va_arg(values, mode_t);                  \
        va_end(values);                                 \
    }

int open(const char *path, int flags, ...) { MODE(flags) return opening(next("open"), path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opening(next("open64"), path, flags, mode); }
int creat(const char *path, mode_t mode) { return opening(next("open"), path, O_CREAT | O_WRONLY | O_TRUNC, mode); }


static int syncing(int (*real)(int), int fd) {
    char room[PATH_MAX];
    const char *name = journal < 0 ? NULL : below(of_fd(fd, room));
    struct stat before;
    if (!name || fstat(fd, &before) != 0) return real(fd);
    if (S_ISDIR(before.st_mode)) {
        pthread_mutex_lock(&names);
        int done = real(fd);
        if (done == 0) tell("D %s\n", name);
        pthread_mutex_unlock(&names);
        return done;
    }
    size_t length = strlen(name), suffix = lie ? strlen(lie) : 0;
    if (lie && length >= suffix && strcmp(name + length - suffix, lie) == 0) return 0;
    /* The size from before: what is written meanwhile may not be in. */
    int done = real(fd);
    if (done == 0) tell("S %lu %lld\n", (unsigned long)before.st_ino, (long long)before.st_size);
    return done;
}

int fsync(int fd) { return syncing(next("fsync"), fd); }
int fdatasync(int fd) { return syncing(next("fdatasync"), fd); }

static int truncating(int (*real)(int, off_t), int fd, off_t size) {
    char room[PATH_MAX];
    struct stat file;
    int done = real(fd, size);
    if (done == 0 && journal >= 0 && below(of_fd(fd, room)) && fstat(fd, &file) == 0)
        tell("T %lu %lld\n", (unsigned long)file.st_ino, (long long)size);
    return done;
}

int ftruncate(int fd, off_t size) { return truncating(next("ftruncate"), fd, size); }
int ftruncate64(int fd, off_t size) { return truncating(next("ftruncate64"), fd, size); }

int rename(const char *from, const char *to) {
    int (*real)(const char *, const char *) = next("rename");
    const char *name = below(from), *other = below(to);
    struct stat file;
    if (!name || !other || stat(from, &file) != 0) return real(from, to);
    if (S_ISDIR(file.st_mode)) abort();
    pthread_mutex_lock(&names);
    keep(from, file.st_ino);
    int done = real(from, to);
    int error = errno;
    if (done == 0) tell("R %lu %s\t%s\n", (unsigned long)file.st_ino, name, other);
    pthread_mutex_unlock(&names);
    errno = error;
    return done;
}

int unlinkat(int dir, const char *path, int flags) {
    int (*real)(int, const char *, int) = next("unlinkat");
    char room[PATH_MAX];
    const char *name = below(at(dir, path, room));
    if (!name) return real(dir, path, flags);
    pthread_mutex_lock(&names);
    int done = real(dir, path, flags);
    int error = errno;
    if (done == 0) tell("%c %s\n", flags & AT_REMOVEDIR ? 'X' : 'U', name);
    pthread_mutex_unlock(&names);
    errno = error;
    return done;
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdir(const char *path, mode_t mode) {
    int (*real)(const char *, mode_t) = next("mkdir");
    const char *name = below(path);
    if (!name) return real(path, mode);
    pthread_mutex_lock(&names);
    int done = real(path, mode);
    int error = errno;
    if (done == 0) tell("M %s\n", name);
    pthread_mutex_unlock(&names);
    errno = error;
    return done;
}
