#include "world/linux/disk.h"

#include "base/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct rig {
	char root[64];
	struct disk *disk;
};

static void rig_open(struct t *t, struct rig *r) {
	snprintf(r->root, sizeof r->root, "/tmp/flyball-disk-XXXXXX");
	EXPECT(mkdtemp(r->root));
	EXPECT_OK(disk_linux_open(r->root, &r->disk, NULL));
}

static void rig_close(struct t *t, struct rig *r) {
	disk_linux_close(r->disk);
	char *command =
		str_printf(t->arena, "rm -r %s", r->root).p ? str_c(t->arena, str_printf(t->arena, "rm -r %s", r->root)) : NULL;
	EXPECT(command && system(command) == 0);
}

static char *outside(struct t *t, struct rig *r, const char *path) {
	return str_c(t->arena, str_printf(t->arena, "%s/%s", r->root, path));
}

static struct file *open_file(struct t *t, struct disk *d, const char *path, int flags) {
	struct file *f = NULL;
	EXPECT_OK(d->ops->open(d, path, flags, &f, NULL));
	return f;
}

#define RW (DISK_READ | DISK_WRITE)

/* Against a plain array, whatever the order of writes, reads and truncations. */
TEST(a_file_is_an_array_of_bytes, .seeds = 50) {
	struct rig r;
	rig_open(t, &r);
	enum { MAX = 20000 };
	static char twin[MAX];
	memset(twin, 0, sizeof twin);
	int64_t size = 0;
	struct file *f = open_file(t, r.disk, "f", RW | DISK_CREATE);
	for (int i = 0; i < 60; i++) {
		int64_t at = rng_below(&t->rng, MAX), n = rng_below(&t->rng, MAX - at + 1), got_size;
		char bytes[MAX];
		size_t got;
		switch (rng_below(&t->rng, 3)) {
		case 0:
			for (int64_t k = 0; k < n; k++) twin[at + k] = bytes[k] = (char)rng_below(&t->rng, 256);
			EXPECT_OK(f->ops->write(f, bytes, (size_t)n, at));
			if (n && at + n > size) size = at + n;
			break;
		case 1:
			EXPECT_OK(f->ops->read(f, bytes, (size_t)n, at, &got));
			EXPECT(got == (size_t)(at >= size ? 0 : at + n > size ? size - at : n));
			EXPECT(memcmp(bytes, twin + at, got) == 0);
			break;
		default:
			EXPECT_OK(f->ops->truncate(f, at));
			if (at < size) memset(twin + at, 0, (size_t)(size - at));
			size = at;
		}
		EXPECT_OK(f->ops->size(f, &got_size));
		EXPECT(got_size == size);
	}
	EXPECT_OK(f->ops->sync(f));
	f->ops->close(f);
	rig_close(t, &r);
}

TEST(flags_of_open_are_kept) {
	struct rig r;
	rig_open(t, &r);
	struct file *f = NULL;
	struct why why;
	struct stat st;
	EXPECT_ERR(r.disk->ops->open(r.disk, "f", RW, &f, &why), ERR_NOT_FOUND);
	EXPECT(strstr(why.text, "'f'"));
	f = open_file(t, r.disk, "f", RW | DISK_CREATE | DISK_EXCLUSIVE);
	f->ops->close(f);
	EXPECT_ERR(r.disk->ops->open(r.disk, "f", RW | DISK_CREATE | DISK_EXCLUSIVE, &f, &why), ERR_EXISTS);
	EXPECT(stat(outside(t, &r, "f"), &st) == 0 && (st.st_mode & 0777) == 0600);
	EXPECT_OK(r.disk->ops->make_dir(r.disk, "d"));
	EXPECT_ERR(r.disk->ops->open(r.disk, "d", DISK_READ, &f, &why), ERR_INVALID);
	rig_close(t, &r);
}

TEST(nothing_leaves_the_root) {
	struct rig r;
	rig_open(t, &r);
	struct file *f = NULL;
	struct disk_entry *all;
	size_t n;
	bool there;
	static const char *const out[] = { "..", "../x", "a/../../x", "/../etc/passwd", "d/.." };
	for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
		EXPECT_ERR(r.disk->ops->open(r.disk, out[i], DISK_READ, &f, NULL), ERR_DENIED);
		EXPECT_ERR(r.disk->ops->remove(r.disk, out[i]), ERR_DENIED);
		EXPECT_ERR(r.disk->ops->make_dir(r.disk, out[i]), ERR_DENIED);
		EXPECT_ERR(r.disk->ops->exists(r.disk, out[i], &there), ERR_DENIED);
		EXPECT_ERR(r.disk->ops->list(r.disk, out[i], t->arena, &all, &n), ERR_DENIED);
		EXPECT_ERR(r.disk->ops->rename(r.disk, "x", out[i]), ERR_DENIED);
	}
	EXPECT_OK(r.disk->ops->exists(r.disk, "/etc/passwd", &there)); /* of the root's own etc */
	EXPECT(!there);
	EXPECT_OK(r.disk->ops->exists(r.disk, "..x", &there)); /* a name like any other */
	rig_close(t, &r);
}

TEST(a_link_is_read_through_and_never_written_through) {
	struct rig r;
	rig_open(t, &r);
	struct str text;
	struct file *f = NULL;
	struct why why;
	EXPECT_OK(disk_write_file(r.disk, "real", STR("content"), NULL));
	EXPECT(symlink("real", outside(t, &r, "link")) == 0);
	EXPECT_OK(disk_read_file(r.disk, t->arena, "link", 100, &text, NULL));
	EXPECT(str_is(text, "content"));
	EXPECT_ERR(r.disk->ops->open(r.disk, "link", RW, &f, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "symbolic link"));
	/* A file that is replaced is replaced itself, not what its link names. */
	EXPECT_OK(disk_write_file(r.disk, "link", STR("new"), NULL));
	EXPECT_OK(disk_read_file(r.disk, t->arena, "real", 100, &text, NULL));
	EXPECT(str_is(text, "content"));
	rig_close(t, &r);
}

TEST(directories_are_made_listed_and_synced) {
	struct rig r;
	rig_open(t, &r);
	struct disk_entry *all;
	size_t n;
	struct wall at;
	EXPECT_OK(r.disk->ops->make_dir(r.disk, "a/b/c"));
	EXPECT_OK(r.disk->ops->make_dir(r.disk, "/a/b/c/"));
	EXPECT_OK(disk_write_file(r.disk, "a/z", STR(""), NULL));
	EXPECT_OK(disk_write_file(r.disk, "a/k", STR("12"), NULL));
	EXPECT_OK(r.disk->ops->list(r.disk, "a", t->arena, &all, &n));
	EXPECT(n == 3 && str_is(all[0].name, "b") && str_is(all[1].name, "k") && str_is(all[2].name, "z"));
	EXPECT(all[0].directory && !all[1].directory);
	EXPECT_OK(r.disk->ops->sync_dir(r.disk, "a"));
	EXPECT_ERR(r.disk->ops->sync_dir(r.disk, "nowhere"), ERR_NOT_FOUND);
	EXPECT_ERR(r.disk->ops->make_dir(r.disk, "a/k"), ERR_INVALID);
	EXPECT_ERR(r.disk->ops->make_dir(r.disk, "a/k/below"), ERR_INVALID);
	EXPECT_OK(r.disk->ops->mtime(r.disk, "a/k", &at));
	EXPECT(at.ns > INT64_C(1700000000) * NS_PER_SEC);
	EXPECT_OK(r.disk->ops->rename(r.disk, "a/k", "a/z"));
	EXPECT_ERR(r.disk->ops->remove(r.disk, "a/k"), ERR_NOT_FOUND);
	EXPECT_OK(r.disk->ops->remove(r.disk, "a/z"));
	rig_close(t, &r);
}

TEST(whole_files_are_read_within_their_limit) {
	struct rig r;
	rig_open(t, &r);
	struct str text;
	struct why why;
	EXPECT_OK(disk_write_file(r.disk, "f", STR("12345"), NULL));
	EXPECT_OK(disk_read_file(r.disk, t->arena, "f", 5, &text, &why));
	EXPECT(str_is(text, "12345"));
	EXPECT_ERR(disk_read_file(r.disk, t->arena, "f", 4, &text, &why), ERR_TOO_LARGE);
	EXPECT(strstr(why.text, "'f'") && strstr(why.text, "4 bytes"));
	EXPECT_ERR(disk_read_file(r.disk, t->arena, "g", 4, &text, &why), ERR_NOT_FOUND);
	EXPECT_OK(disk_write_file(r.disk, "empty", STR(""), NULL));
	EXPECT_OK(disk_read_file(r.disk, t->arena, "empty", 5, &text, &why));
	EXPECT(text.n == 0);
	struct disk *all = NULL;
	EXPECT_OK(disk_linux_open("/", &all, NULL)); /* what /proc has says it has no bytes */
	EXPECT_OK(disk_read_file(all, t->arena, "/proc/self/status", 100000, &text, &why));
	EXPECT(text.n > 100);
	disk_linux_close(all);
	rig_close(t, &r);
}

TEST(a_pipe_is_read_like_a_file) {
	struct rig r;
	rig_open(t, &r);
	int ends[2];
	struct str text;
	struct disk *all = NULL;
	EXPECT(pipe(ends) == 0 && write(ends[1], "through a pipe", 14) == 14);
	close(ends[1]);
	EXPECT_OK(disk_linux_open("/", &all, NULL));
	EXPECT_OK(
		disk_read_file(all, t->arena, str_c(t->arena, str_printf(t->arena, "/dev/fd/%d", ends[0])), 100, &text, NULL));
	EXPECT(str_is(text, "through a pipe"));
	close(ends[0]);
	disk_linux_close(all);
	rig_close(t, &r);
}

TEST(a_full_disk_is_named_and_the_old_file_stays) {
	struct rig r;
	rig_open(t, &r);
	struct str text;
	struct why why;
	struct file *f = NULL;
	EXPECT_OK(disk_write_file(r.disk, "f", STR("old"), NULL));
	/* The system's limit on a file's size answers as a full disk does. */
	struct rlimit before, small = { 4096, RLIM_INFINITY };
	getrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_IGN);
	small.rlim_max = before.rlim_max;
	EXPECT(setrlimit(RLIMIT_FSIZE, &small) == 0);
	char large[10000] = { 0 };
	EXPECT_ERR(disk_write_file(r.disk, "f", (struct str){ large, sizeof large }, &why), ERR_NOSPACE);
	EXPECT(strstr(why.text, "no space left") && strstr(why.text, "'f.new'"));
	EXPECT(setrlimit(RLIMIT_FSIZE, &before) == 0);
	EXPECT_OK(disk_read_file(r.disk, t->arena, "f", 100, &text, NULL));
	EXPECT(str_is(text, "old"));
	EXPECT_ERR(r.disk->ops->open(r.disk, "f.new", DISK_READ, &f, NULL), ERR_NOT_FOUND);

	struct disk *all = NULL;
	EXPECT_OK(disk_linux_open("/", &all, NULL));
	f = open_file(t, all, "/dev/full", RW);
	EXPECT_ERR(f->ops->write(f, "x", 1, 0), ERR_NOSPACE);
	f->ops->close(f);
	disk_linux_close(all);
	rig_close(t, &r);
}

/* Run as another user where we are root, whom no mode stops. */
TEST(a_directory_without_the_right_is_named) {
	struct rig r;
	rig_open(t, &r);
	EXPECT(chmod(r.root, 0500) == 0);
	pid_t child = fork();
	if (child == 0) {
		if (geteuid() == 0 && (chown(r.root, 65534, 65534) != 0 || setuid(65534) != 0)) _exit(2);
		struct why why = { "" };
		enum err e = disk_write_file(r.disk, "f", STR("x"), &why);
		_exit(e == ERR_DENIED && strstr(why.text, "'f.new'") && strstr(why.text, "mode") ? 0 : 1);
	}
	int status = -1;
	EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	EXPECT(chmod(r.root, 0700) == 0);
	rig_close(t, &r);
}

/* ---- SQLite's five levels ---- */

/* The table of its documentation ("File Locking And Concurrency"): what one may take while another holds. */
TEST(locks_exclude_as_sqlite_defines) {
	struct rig r;
	rig_open(t, &r);
	struct file *a = open_file(t, r.disk, "f", RW | DISK_CREATE), *b = open_file(t, r.disk, "f", RW);
	static const struct {
		enum disk_lock held, wanted;
		enum err err;
	} table[] = {
		{ DISK_SHARED, DISK_SHARED, OK },
		{ DISK_SHARED, DISK_RESERVED, OK },
		{ DISK_SHARED, DISK_EXCLUSIVE_LOCK, ERR_BUSY },
		{ DISK_RESERVED, DISK_SHARED, OK },
		{ DISK_RESERVED, DISK_RESERVED, ERR_BUSY },
		{ DISK_RESERVED, DISK_EXCLUSIVE_LOCK, ERR_BUSY },
		{ DISK_PENDING, DISK_SHARED, ERR_BUSY },
		{ DISK_EXCLUSIVE_LOCK, DISK_SHARED, ERR_BUSY },
		{ DISK_UNLOCKED, DISK_EXCLUSIVE_LOCK, OK },
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		bool reserved;
		EXPECT_OK(a->ops->lock(a, table[i].held));
		EXPECT_OK(b->ops->reserved(b, &reserved));
		EXPECT(reserved == (table[i].held == DISK_RESERVED));
		EXPECT_ERR(b->ops->lock(b, table[i].wanted), table[i].err);
		EXPECT_OK(b->ops->lock(b, DISK_UNLOCKED));
		EXPECT_OK(a->ops->lock(a, DISK_UNLOCKED));
	}
	a->ops->close(a);
	b->ops->close(b);
	rig_close(t, &r);
}

TEST(a_lock_steps_down_and_a_close_drops_only_its_own) {
	struct rig r;
	rig_open(t, &r);
	struct file *a = open_file(t, r.disk, "f", RW | DISK_CREATE), *b = open_file(t, r.disk, "f", RW), *c;
	EXPECT_OK(a->ops->lock(a, DISK_EXCLUSIVE_LOCK));
	EXPECT_OK(a->ops->lock(a, DISK_SHARED));
	EXPECT_OK(b->ops->lock(b, DISK_SHARED));
	/* A writer that waits for readers keeps new ones out. */
	EXPECT_ERR(a->ops->lock(a, DISK_EXCLUSIVE_LOCK), ERR_BUSY);
	c = open_file(t, r.disk, "f", RW);
	EXPECT_ERR(c->ops->lock(c, DISK_SHARED), ERR_BUSY);
	EXPECT_OK(b->ops->lock(b, DISK_UNLOCKED));
	EXPECT_OK(a->ops->lock(a, DISK_EXCLUSIVE_LOCK));
	c->ops->close(c); /* with POSIX locks this would drop a's */
	EXPECT_ERR(b->ops->lock(b, DISK_SHARED), ERR_BUSY);
	a->ops->close(a);
	EXPECT_OK(b->ops->lock(b, DISK_EXCLUSIVE_LOCK));
	b->ops->close(b);
	rig_close(t, &r);
}

RUN(a_file_is_an_array_of_bytes, flags_of_open_are_kept, nothing_leaves_the_root,
    a_link_is_read_through_and_never_written_through, directories_are_made_listed_and_synced,
    whole_files_are_read_within_their_limit, a_pipe_is_read_like_a_file, a_full_disk_is_named_and_the_old_file_stays,
    a_directory_without_the_right_is_named, locks_exclude_as_sqlite_defines,
    a_lock_steps_down_and_a_close_drops_only_its_own)
