/* A simulated disk saved, loaded, and copied out to a real one. */
#include <stdio.h>

#include "base/codec.h"
#include "sim/disk.h"
#include "sim/memory.h"

#define IMAGE_KIND    "FBDI"
#define IMAGE_VERSION 1

void sim_disk_save(const struct sim_disk *d, struct buf *out) {
	struct enc e = enc_begin(out, IMAGE_KIND, IMAGE_VERSION);
	enc_u32(&e, (uint32_t)d->live_count);
	for (size_t i = 0; i < d->live_count; i++) {
		const struct sim_inode *node = d->live[i].inode;
		enc_str(&e, str_of(d->live[i].path));
		enc_u8(&e, node->directory);
		enc_i64(&e, node->mtime.ns);
		enc_str(&e, (struct str){ node->data.p, node->data.n });
	}
	enc_end(&e);
}

static void load_one(struct sim_disk *d, struct dec *in) {
	struct str name = dec_str(in);
	bool directory = dec_u8(in);
	struct wall mtime = { dec_i64(in) };
	struct str bytes = dec_str(in);
	if (in->err) return;
	char *path = must_copy(name.p, name.n);
	struct sim_inode *node = sim_disk_add(d, path, directory);
	node->mtime = mtime;
	sim_bytes_resize(&node->data, bytes.n);
	sim_bytes_resize(&node->safe, bytes.n);
	if (bytes.n) {
		memcpy(node->data.p, bytes.p, bytes.n);
		memcpy(node->safe.p, bytes.p, bytes.n);
	}
	free(path);
}

enum err sim_disk_load(struct sim_disk *d, struct str bytes, struct why *why) {
	struct dec in;
	assert(!d->inode_count && "an image is loaded into an empty disk");
	enum err e = dec_begin(&in, bytes, IMAGE_KIND, IMAGE_VERSION, NULL, why);
	if (e) return e;
	uint32_t count = dec_u32(&in);
	for (uint32_t i = 0; i < count && !in.err; i++) load_one(d, &in);
	e = dec_end(&in);
	return e ? why_set(why, e, "a disk image is damaged") : OK;
}

static enum err copy_out(const struct sim_bytes *bytes, struct disk *other, const char *path, struct why *why) {
	struct file *f = NULL;
	enum err e = other->ops->open(other, path, DISK_WRITE | DISK_CREATE, &f, why);
	if (e) return e;
	e = f->ops->truncate(f, 0);
	if (!e && bytes->n) e = f->ops->write(f, bytes->p, bytes->n, 0);
	f->ops->close(f);
	return e ? why_set(why, e, "%s: cannot be written: %s", path, err_text(e)) : OK;
}

enum err sim_disk_export(struct sim_disk *d, const char *from, struct disk *other, const char *to, struct why *why) {
	while (*from == '/') from++;
	size_t n = strlen(from);
	enum err e = other->ops->make_dir(other, to);
	if (e) return why_set(why, e, "%s: cannot be made: %s", to, err_text(e));
	for (size_t i = 0; i < d->live_count && !e; i++) {
		const struct sim_name *name = &d->live[i];
		if (name->inode->directory || strncmp(name->path, from, n) || name->path[n] != '/') continue;
		char path[1024];
		int length = snprintf(path, sizeof path, "%s/%s", to, name->path + n + 1);
		if (length < 0 || (size_t)length >= sizeof path) return why_set(why, ERR_TOO_LARGE, "%s: too long a path", to);
		e = copy_out(&name->inode->data, other, path, why);
	}
	return e;
}
