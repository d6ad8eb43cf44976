/* Preloaded into a program under test: lets the n-th allocation, or the n-th system call on a
 * descriptor, fail as it would on a machine that has run out of what it asks for.
 *
 * The file named by NTH_CALL_FILE is mapped: two 64-bit words a kind, [armed, counted]. While `armed`
 * is n > 0, the n-th call from then on fails, once, and `armed` is 0 again; `counted` grows with every
 * call. After them, the name of the system call that failed last. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct Kind {
    int64_t armed;
    int64_t counted;
};
static struct Control {
    struct Kind kinds[2];
    char failed[32];
} unmapped, *control = &unmapped;
enum { kAllocation, kSystemCall };

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

__attribute__((constructor)) static void map_control(void) {
    const char* name = getenv("NTH_CALL_FILE");
    const int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void* at = mmap(NULL, sizeof unmapped, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (at != MAP_FAILED)
        control = at;
}

static int fails(int kind) {
    struct Kind* k = &control->kinds[kind];
    __atomic_add_fetch(&k->counted, 1, __ATOMIC_RELAXED);
    if (__atomic_load_n(&k->armed, __ATOMIC_RELAXED) <= 0)
        return 0;
    return __atomic_sub_fetch(&k->armed, 1, __ATOMIC_RELAXED) == 0;
}

void* malloc(size_t size) {
    if (fails(kAllocation)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
    if (fails(kAllocation)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
    if (fails(kAllocation)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(old, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
    void* at = fails(kAllocation) ? NULL : __libc_memalign(alignment, size);
    if (!at)
        return ENOMEM;
    *out = at;
    return 0;
}
void* aligned_alloc(size_t alignment, size_t size) {
    if (fails(kAllocation)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_memalign(alignment, size);
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define FAIL_WITH(code) \
    if (fails(kSystemCall)) { \
        strncpy(control->failed, __func__, sizeof control->failed - 1); \
        errno = (code); \
        return -1; \
    }

int socket(int domain, int type, int protocol) {
    REAL(socket);
    FAIL_WITH(EMFILE)
    return real(domain, type, protocol);
}
int accept(int fd, struct sockaddr* address, socklen_t* size) {
    REAL(accept);
    FAIL_WITH(EMFILE)
    return real(fd, address, size);
}
int accept4(int fd, struct sockaddr* address, socklen_t* size, int flags) {
    REAL(accept4);
    FAIL_WITH(EMFILE)
    return real(fd, address, size, flags);
}
int connect(int fd, const struct sockaddr* address, socklen_t size) {
    REAL(connect);
    FAIL_WITH(ENETUNREACH)
    return real(fd, address, size);
}
int setsockopt(int fd, int level, int name, const void* value, socklen_t size) {
    REAL(setsockopt);
    FAIL_WITH(ENOBUFS)
    return real(fd, level, name, value, size);
}
ssize_t recv(int fd, void* to, size_t size, int flags) {
    REAL(recv);
    FAIL_WITH(ECONNRESET)
    return real(fd, to, size, flags);
}
ssize_t recvmsg(int fd, struct msghdr* message, int flags) {
    REAL(recvmsg);
    FAIL_WITH(ECONNRESET)
    return real(fd, message, flags);
}
ssize_t send(int fd, const void* from, size_t size, int flags) {
    REAL(send);
    FAIL_WITH(EPIPE)
    return real(fd, from, size, flags);
}
ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
    REAL(sendmsg);
    FAIL_WITH(EPIPE)
    return real(fd, message, flags);
}
/* The program's own way to the same calls; they take six arguments at most. */
long syscall(long number, ...) {
    static long (*real)(long, ...);
    if (!real)
        real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_list list;
    va_start(list, number);
    long a[6];
    for (int i = 0; i < 6; ++i)
        a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_recvfrom)
        FAIL_WITH(ECONNRESET)
    if (number == SYS_sendto || number == SYS_sendmsg)
        FAIL_WITH(EPIPE)
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
ssize_t write(int fd, const void* from, size_t size) {
    REAL(write);
    /* Eight bytes wake a thread through an eventfd, which has always room for them. */
    if (size != 8)
        FAIL_WITH(ENOSPC)
    return real(fd, from, size);
}
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event* event) {
    REAL(epoll_ctl);
    /* Only to put a descriptor in takes memory of the kernel's. */
    if (operation == EPOLL_CTL_ADD)
        FAIL_WITH(ENOMEM)
    return real(epoll, operation, fd, event);
}
