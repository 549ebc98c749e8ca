#include "tests/fault/fault_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static struct {
    bool armed, lasting, happened;
    enum fault_kind kind;
    unsigned at, count;
} fault;

void fault_arm(enum fault_kind kind, unsigned at, bool lasting)
{
    fault.armed = true;
    fault.lasting = lasting;
    fault.happened = false;
    fault.kind = kind;
    fault.at = at;
    fault.count = 0;
}

void fault_disarm(void)
{
    fault.armed = false;
}

unsigned fault_count(void)
{
    return fault.count;
}

bool fault_happened(void)
{
    return fault.happened;
}

// True when this call is to fail.
static bool strike(void)
{
    if (!fault.armed)
        return false;
    fault.count++;
    if (fault.count < fault.at || (fault.count > fault.at && !fault.lasting))
        return false;
    fault.happened = true;
    if (fault.kind == FAULT_CRASH)
        _exit(FAULT_CRASHED);
    return true;
}

// ---- SQLite's files

struct file {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;

#define REAL(f) (((struct file *)(f))->real)

static int f_close(sqlite3_file *f)
{
    int rc = REAL(f)->pMethods ? REAL(f)->pMethods->xClose(REAL(f)) : SQLITE_OK;
    return rc;
}

static int f_read(sqlite3_file *f, void *data, int n, sqlite3_int64 offset)
{
    if (fault.kind == FAULT_IO && strike())
        return SQLITE_IOERR_READ;
    return REAL(f)->pMethods->xRead(REAL(f), data, n, offset);
}

static int f_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 offset)
{
    if (!strike())
        return REAL(f)->pMethods->xWrite(REAL(f), data, n, offset);
    if (fault.kind == FAULT_SHORT) { // half of it arrives before the disk is full
        if (n > 1)
            REAL(f)->pMethods->xWrite(REAL(f), data, n / 2, offset);
        return SQLITE_FULL;
    }
    return fault.kind == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (fault.kind == FAULT_IO && strike())
        return SQLITE_IOERR_TRUNCATE;
    return REAL(f)->pMethods->xTruncate(REAL(f), size);
}

static int f_sync(sqlite3_file *f, int flags)
{
    if ((fault.kind == FAULT_IO || fault.kind == FAULT_CRASH) && strike())
        return SQLITE_IOERR_FSYNC;
    return REAL(f)->pMethods->xSync(REAL(f), flags);
}

static int f_file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    if (fault.kind == FAULT_IO && strike())
        return SQLITE_IOERR_FSTAT;
    return REAL(f)->pMethods->xFileSize(REAL(f), size);
}

static int f_lock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xLock(REAL(f), level);
}

static int f_unlock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), level);
}

static int f_check(sqlite3_file *f, int *ret)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), ret);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
    return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}

static int f_sector(sqlite3_file *f)
{
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}

static int f_device(sqlite3_file *f)
{
    return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

static int f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
    if (fault.kind == FAULT_IO && strike())
        return SQLITE_IOERR_SHMMAP;
    return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, ret);
}

static int f_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return REAL(f)->pMethods->xShmLock(REAL(f), offset, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int f_shm_unmap(sqlite3_file *f, int delete_it)
{
    return REAL(f)->pMethods->xShmUnmap(REAL(f), delete_it);
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_file_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_check,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_device,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
    (void)vfs;
    struct file *file = (struct file *)f;
    file->base.pMethods = NULL;
    file->real = (sqlite3_file *)(file + 1);
    if (fault.kind == FAULT_IO && strike())
        return SQLITE_CANTOPEN;
    int rc = real_vfs->xOpen(real_vfs, name, file->real, flags, ret_flags);
    if (rc == SQLITE_OK)
        file->base.pMethods = &METHODS;
    return rc;
}

static int v_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    if ((fault.kind == FAULT_IO || fault.kind == FAULT_CRASH) && strike())
        return SQLITE_IOERR_DELETE;
    return real_vfs->xDelete(real_vfs, name, sync);
}

void fault_install(void)
{
    static sqlite3_vfs vfs;
    if (real_vfs)
        return;
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.iVersion = 1;
    vfs.zName = "fault";
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    vfs.xOpen = v_open;
    vfs.xDelete = v_delete;
    sqlite3_vfs_register(&vfs, 1);
}

// ---- Our own calls (log files, the lock, the copy after an error)

ssize_t __real_pwrite(int fd, const void *data, size_t n, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t n, off_t offset);
ssize_t __real_write(int fd, const void *data, size_t n);
ssize_t __wrap_write(int fd, const void *data, size_t n);
int __real_openat(int dir, const char *name, int flags, mode_t mode);
int __wrap_openat(int dir, const char *name, int flags, ...);
int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);

static bool fails(void)
{
    if (!strike())
        return false;
    errno = fault.kind == FAULT_IO ? EIO : ENOSPC;
    return true;
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t n, off_t offset)
{
    if (!fails())
        return __real_pwrite(fd, data, n, offset);
    if (fault.kind == FAULT_SHORT && n > 1 && !fault.lasting)
        return __real_pwrite(fd, data, n / 2,
                             offset); // not an error: the rest is for the next call
    return -1;
}

ssize_t __wrap_write(int fd, const void *data, size_t n)
{
    return fails() ? -1 : __real_write(fd, data, n);
}

int __wrap_openat(int dir, const char *name, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return fails() ? -1 : __real_openat(dir, name, flags, mode);
}

int __wrap_ftruncate(int fd, off_t size)
{
    return fails() ? -1 : __real_ftruncate(fd, size);
}

int __wrap_fsync(int fd)
{
    return fails() ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return fails() ? -1 : __real_renameat(from_dir, from, to_dir, to);
}
