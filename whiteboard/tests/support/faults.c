/* Preloaded into the server by tests/faults.rs: the disk fails when the file FAULT_FILE says so.
 *   fsync     every fsync and fdatasync fails with EIO
 *   full      every write to the database or its log fails with ENOSPC
 *   torn:N    of the N-th write to the log (the first is 1) only a part arrives, and the process is killed
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int writes_to_the_log;

/* What FAULT_FILE says; empty if there is none. */
static void fault(char *said, size_t size) {
    said[0] = 0;
    const char *path = getenv("FAULT_FILE");
    if (!path) return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    ssize_t length = read(file, said, size - 1);
    said[length > 0 ? length : 0] = 0;
    close(file);
}

static int ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* 2 for the log, 1 for the database, 0 for anything else. */
static int kind(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return ends_with(path, ".db-wal") ? 2 : ends_with(path, ".db") ? 1 : 0;
}

int fsync(int fd) {
    char said[32];
    fault(said, sizeof said);
    if (strcmp(said, "fsync") == 0) { errno = EIO; return -1; }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
    char said[32];
    fault(said, sizeof said);
    if (strcmp(said, "fsync") == 0) { errno = EIO; return -1; }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

typedef ssize_t (*pwriter)(int, const void *, size_t, off_t);

static ssize_t faulty(const char *name, int fd, const void *bytes, size_t size, off_t at) {
    pwriter real = (pwriter)dlsym(RTLD_NEXT, name);
    int where = kind(fd);
    if (where == 0) return real(fd, bytes, size, at);
    char said[32];
    fault(said, sizeof said);
    if (strcmp(said, "full") == 0) { errno = ENOSPC; return -1; }
    if (where == 2 && strncmp(said, "torn:", 5) == 0 && ++writes_to_the_log == atoi(said + 5)) {
        real(fd, bytes, size / 2, at);
        raise(SIGKILL);
    }
    return real(fd, bytes, size, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return faulty("pwrite", fd, bytes, size, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t at) { return faulty("pwrite64", fd, bytes, size, at); }
