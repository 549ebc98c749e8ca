// The data directory: who may write, who does write, and what an I/O error left behind.
//
// One process writes: it holds an flock on STORE_LOCK for as long as it lives, so that nothing has
// to be cleaned up after a kill. The descriptor is close-on-exec: runs and agents do not keep the
// lock.
//
// After a failed fsync the kernel may hold pages that it believes to be on the disk and that are
// not. The database must then not be written in place: whoever meets an I/O error leaves a marker,
// and the next open reads the files as the kernel has them, writes them to new ones and syncs
// those.

#include "base/file.h"
#include "base/mem.h"
#include "controller/store/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LOCK_TEXT_MAX     256
#define COPY_FILE         "trawl.db.copy"
#define COPY_BUFFER_BYTES (1 << 20)

char *dir_path(const struct store *store, const char *name)
{
    return xasprintf("%s/%s", store->dir, name);
}

const char *dir_network_name(long type)
{
    // Numbers of statfs(2) and of the file systems' own sources.
    static const struct {
        unsigned long type;
        const char *name;
    } NETWORK[] = {
        {0x6969, "NFS"},        {0x517b, "SMB"},      {0xfe534d42, "SMB"},    {0xff534d42, "CIFS"},
        {0x0bd00bd0, "Lustre"}, {0x47504653, "GPFS"}, {0x19830326, "BeeGFS"}, {0x5346414f, "AFS"},
        {0x00c36400, "CephFS"}, {0x01021997, "9p"},   {0x7461636f, "OCFS2"},  {0x01161970, "GFS2"},
        {0xaad7aaea, "PanFS"},
    };
    for (size_t i = 0; i < ARRAY_LEN(NETWORK); i++)
        if (NETWORK[i].type == ((unsigned long)type & 0xffffffff))
            return NETWORK[i].name;
    return NULL;
}

static void note_network(struct store *store)
{
    struct statfs fs;
    const char *name = fstatfs(store->dir_fd, &fs) == 0 ? dir_network_name((long)fs.f_type) : NULL;
    if (!name)
        return;
    store->rollback_journal = true; // WAL shares memory between processes, which machines cannot
    store->warning =
        xasprintf("%s is on a shared file system (%s): it is slower there and as safe as "
                  "that system's locks; a local directory is better (--data)",
                  store->dir, name);
}

static int check_owner(const struct store *store, struct err *err)
{
    struct stat st;
    if (fstat(store->dir_fd, &st) != 0)
        return err_set_errno(err, "cannot look at %s", store->dir);
    if (st.st_uid != geteuid())
        return err_set(
            err, ERR_PERMISSION,
            "%s belongs to another user (uid %lu); use a directory of your own with --data",
            store->dir, (unsigned long)st.st_uid);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return err_set(err, ERR_PERMISSION,
                       "%s can be written by other users; take that away with `chmod go-w %s`",
                       store->dir, store->dir);
    return 0;
}

static int busy(const struct store *store, struct err *err)
{
    struct str text = STR_INIT;
    long pid = 0;
    char what[64] = "trawl";
    if (file_read_at(store->dir_fd, STORE_LOCK, LOCK_TEXT_MAX, &text, NULL) == 0)
        sscanf(str_get(&text), "%ld %63[^\n]", &pid, what);
    str_release(&text);
    return err_set(err, ERR_BUSY,
                   "%s is in use by process %ld (trawl %s): stop it with Ctrl-C, submit to it with "
                   "`trawl submit`, or use another directory with --data",
                   store->dir, pid, what);
}

static int take_lock(struct store *store, const char *what, struct err *err)
{
    int rc = file_lock_at(store->dir_fd, STORE_LOCK, &store->lock_fd, err);
    if (rc == ERR_BUSY)
        return busy(store, err);
    if (rc != 0) {
        err_prefix(err, "%s", store->dir);
        return rc;
    }
    char text[LOCK_TEXT_MAX];
    int len = snprintf(text, sizeof text, "%ld %.63s\n", (long)getpid(), what ? what : "");
    // Only for people: a lock without its text still locks.
    bool written =
        ftruncate(store->lock_fd, 0) == 0 && pwrite(store->lock_fd, text, (size_t)len, 0) == len;
    (void)written;
    return 0;
}

int dir_open(struct store *store, const char *data_dir, const char *what, struct err *err)
{
    store->dir = xstrdup(data_dir);
    int rc = dir_make(data_dir, err);
    if (rc != 0)
        return rc;
    store->dir_fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->dir_fd < 0)
        return err_set_errno(err, "cannot open the data directory %s", data_dir);
    rc = check_owner(store, err);
    if (rc == 0)
        rc = take_lock(store, what, err);
    if (rc == 0)
        note_network(store);
    return rc;
}

void dir_mark_needs_copy(const struct store *store)
{
    if (!store->writer || store->dir_fd < 0)
        return;
    int fd = openat(store->dir_fd, NEEDS_COPY, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return; // a disk that takes nothing more: it will say so again at the next start
    fsync(fd);
    close(fd);
    fsync(store->dir_fd);
}

static int copy_bytes(int from, int to, const char *name, struct err *err)
{
    char *buffer = xmalloc(COPY_BUFFER_BYTES);
    int rc = 0;
    for (;;) {
        ssize_t n = read(from, buffer, COPY_BUFFER_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = err_set_errno(err, "cannot read %s", name);
        if (n <= 0)
            break;
        rc = file_write_all(to, buffer, (size_t)n, err);
        if (rc != 0)
            break;
    }
    free(buffer);
    if (rc == 0 && fsync(to) != 0)
        rc = err_set_errno(err, "cannot sync the copy of %s", name);
    return rc;
}

// One of the database's files; one that is not there has no copy either.
static int copy_file(const struct store *store, const char *suffix, struct err *err)
{
    char from_name[64], to_name[64];
    snprintf(from_name, sizeof from_name, STORE_FILE "%s", suffix);
    snprintf(to_name, sizeof to_name, COPY_FILE "%s", suffix);
    unlinkat(store->dir_fd, to_name, 0);
    int rc = 0;
    int to = -1;
    int from = openat(store->dir_fd, from_name, O_RDONLY | O_CLOEXEC);
    if (from < 0 && errno == ENOENT)
        return 0;
    if (from < 0) {
        rc = err_set_errno(err, "cannot open %s", from_name);
        goto out;
    }
    to = openat(store->dir_fd, to_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0) {
        rc = err_set_errno(err, "cannot make %s", to_name);
        goto out;
    }
    rc = copy_bytes(from, to, from_name, err);
out:
    fd_close(&to);
    fd_close(&from);
    return rc;
}

// Bring the copy's WAL home and read it whole.
static int settle_copy(struct store *store, struct err *err)
{
    char *path = dir_path(store, COPY_FILE);
    int rc = 0;
    int64_t sound = 0;
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        rc = store_failure(store, sqlite3_extended_errcode(store->db), err);
    if (rc == 0)
        rc = store_exec(store, "PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)", err);
    if (rc == 0)
        rc = store_number(store, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)", &sound,
                          err);
    if (rc == 0 && !sound)
        rc = store_failure(store, SQLITE_CORRUPT, err);
    if (sqlite3_close(store->db) != SQLITE_OK && rc == 0)
        rc = err_set(err, ERR_IO, "cannot close %s", path);
    store->db = NULL;
    free(path);
    return rc;
}

// The copy holds all that the WAL beside the old file holds, so a crash between two of these steps
// only means that the copy is made again.
static int put_copy_in_place(const struct store *store, struct err *err)
{
    static const char *const LEFT[] = {STORE_FILE "-wal", STORE_FILE "-shm", STORE_FILE "-journal",
                                       COPY_FILE "-wal",  COPY_FILE "-shm",  COPY_FILE "-journal"};
    if (renameat(store->dir_fd, COPY_FILE, store->dir_fd, STORE_FILE) != 0 ||
        fsync(store->dir_fd) != 0)
        return err_set_errno(err, "cannot put the copy of %s/" STORE_FILE " in place", store->dir);
    for (size_t i = 0; i < ARRAY_LEN(LEFT); i++)
        if (unlinkat(store->dir_fd, LEFT[i], 0) != 0 && errno != ENOENT)
            return err_set_errno(err, "cannot remove %s/%s", store->dir, LEFT[i]);
    if (fsync(store->dir_fd) != 0 || unlinkat(store->dir_fd, NEEDS_COPY, 0) != 0 ||
        fsync(store->dir_fd) != 0)
        return err_set_errno(err, "cannot remove %s/" NEEDS_COPY, store->dir);
    return 0;
}

int dir_copy_if_marked(struct store *store, struct err *err)
{
    static const char *const SUFFIXES[] = {"", "-wal", "-journal"};
    struct stat st;
    if (fstatat(store->dir_fd, NEEDS_COPY, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    if (fstatat(store->dir_fd, STORE_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_size == 0)
        return unlinkat(store->dir_fd, NEEDS_COPY, 0) == 0
                   ? 0
                   : err_set_errno(err, "cannot remove %s/" NEEDS_COPY, store->dir);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(SUFFIXES); i++)
        rc = copy_file(store, SUFFIXES[i], err);
    if (rc == 0)
        rc = settle_copy(store, err);
    if (rc == 0)
        rc = put_copy_in_place(store, err);
    if (rc != 0)
        err_prefix(err, "after an I/O error the database is copied before it is used");
    return rc;
}
