#include "ingest/pack.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Of attributes that came before: some 40,000 series and 5,000 resources. Who sends more is read anew each time,
 * at the price of the first time. */
#define SERIES_BYTES_MAX   ((size_t)24 << 20)
#define RESOURCE_BYTES_MAX ((size_t)8 << 20)

#define SLOTS_FIRST 1024
#define SLOTS_KEPT  65536 /* a table larger than this (2 MiB) is given back after the request */

/* Which index a resource or series has in the open batch. A slot counts only if its `batch` is the
 * open one's number, so that a new batch begins with an empty table at no cost. */
struct slot {
	struct hash128 hash;
	uint32_t index;
	uint16_t kind; /* of a series; KIND_RESOURCE */
	uint64_t batch;
};
#define KIND_RESOURCE 0xffff

struct pack {
	struct wall received;
	size_t bytes_max, bytes_closed;
	struct series_namer namer;

	struct hash128 resource_hash; /* its attributes are in the namer */
	uint64_t shard_key;

	struct batch_writer writer;
	struct buf open; /* the batch being written; n == 0: none is open */
	uint64_t open_key;
	int64_t records;

	struct slot *slots;
	size_t slot_count, slots_used; /* a power of two; used by the open batch */
	uint64_t batch;                /* number of the open batch, never 0 */

	struct memo resources, series; /* what bytes meant; a series' stamp is its place in a batch */

	struct packed *closed;
	size_t closed_count, closed_cap;
};

static struct buf buf_take(struct buf *b) {
	struct buf taken = *b;
	buf_init(b, 0);
	return taken;
}

enum err pack_new(struct pack **out) {
	struct pack *p = calloc(1, sizeof *p);
	struct slot *slots = calloc(SLOTS_FIRST, sizeof *slots);
	if (!p || !slots) {
		free(p);
		free(slots);
		return ERR_NOMEM;
	}
	p->slots = slots;
	p->slot_count = SLOTS_FIRST;
	p->batch = 1;
	series_namer_init(&p->namer);
	memo_init(&p->resources, RESOURCE_BYTES_MAX);
	memo_init(&p->series, SERIES_BYTES_MAX);
	buf_init(&p->open, 0);
	*out = p;
	return OK;
}

/* One buffer of at most a batch's size is kept. */
void pack_give_back(struct pack *p, struct buf *bytes) {
	if (!p->open.p) {
		p->open = buf_take(bytes);
		buf_clear(&p->open);
	}
	buf_done(bytes);
}

static void drop_closed(struct pack *p) {
	for (size_t i = 0; i < p->closed_count; i++) pack_give_back(p, &p->closed[i].bytes);
	p->closed_count = 0;
	p->bytes_closed = 0;
}

void pack_free(struct pack *p) {
	if (!p) return;
	drop_closed(p);
	series_namer_done(&p->namer);
	memo_done(&p->resources);
	memo_done(&p->series);
	buf_done(&p->open);
	free(p->closed);
	free(p->slots);
	free(p);
}

/* Forgets what the open batch defined. */
static void forget(struct pack *p) {
	p->slots_used = 0;
	p->batch++;
}

static void reset_open(struct pack *p) {
	buf_clear(&p->open);
	p->records = 0;
	forget(p);
}

static void shrink_table(struct pack *p) {
	if (p->slot_count <= SLOTS_KEPT) return;
	struct slot *slots = calloc(SLOTS_FIRST, sizeof *slots);
	if (!slots) return;
	free(p->slots);
	p->slots = slots;
	p->slot_count = SLOTS_FIRST;
}

void pack_begin(struct pack *p, struct wall received, size_t bytes_max) {
	drop_closed(p);
	reset_open(p);
	shrink_table(p);
	p->received = received;
	p->bytes_max = bytes_max;
	pack_resource(p, (struct attrs){ 0 }, 0);
}

void pack_resource(struct pack *p, struct attrs attrs, uint64_t shard_key) {
	p->shard_key = shard_key;
	series_namer_resource(&p->namer, attrs, &p->resource_hash);
}

/* ---- what came before ---- */

static const struct hash128 alone; /* a resource's bytes mean what they mean wherever they stand */

bool pack_resource_known(struct pack *p, struct str raw, uint64_t *shard_key) {
	const struct memo_entry *e = memo_find(&p->resources, &alone, raw);
	if (!e) return false;
	*shard_key = p->shard_key = e->number;
	p->resource_hash = e->id;
	series_namer_again(&p->namer, e->form);
	return true;
}

void pack_resource_learn(struct pack *p, struct str raw) {
	struct memo_entry e = { .raw = raw, .id = p->resource_hash, .number = p->shard_key };
	e.form = series_namer_list(&p->namer);
	if (e.form.p) memo_add(&p->resources, &e);
}

struct hash128 pack_context(const struct pack *p, const struct pack_metric *m, const struct hash128 *scope) {
	struct hash128 parts[5] = { p->resource_hash, hash128(m->name), *scope, hash128(m->unit) };
	parts[4].b[0] = (unsigned char)m->kind;
	return hash128((struct str){ (const char *)parts, sizeof parts });
}

bool pack_series_known(struct pack *p, const struct hash128 *context, struct str raw, struct pack_series *out) {
	struct memo_entry *e = memo_find(&p->series, context, raw);
	if (e) *out = (struct pack_series){ { e->id }, e->form, e };
	return e != NULL;
}

void pack_series_learn(struct pack *p, const struct hash128 *context, struct str raw, struct pack_series *s) {
	struct memo_entry e = { .raw = raw, .form = s->tail, .context = *context, .id = s->id.h };
	s->learned = memo_add(&p->series, &e);
}

enum err pack_name(struct pack *p, const struct pack_metric *m, struct attrs attrs, struct pack_series *out) {
	out->learned = NULL;
	return series_namer_id(&p->namer, m->name, attrs, &out->id, &out->tail);
}

/* ---- batches ---- */

static enum err close_open(struct pack *p) {
	if (p->open.n == 0) return OK;
	if (p->records == 0) {
		reset_open(p);
		return OK;
	}
	enum err e = batch_end(&p->writer);
	if (e) return e;
	if (p->closed_count == p->closed_cap) {
		size_t cap = p->closed_cap ? p->closed_cap * 2 : 4;
		struct packed *grown = realloc(p->closed, cap * sizeof *grown);
		if (!grown) return ERR_NOMEM;
		p->closed = grown;
		p->closed_cap = cap;
	}
	p->bytes_closed += p->open.n;
	p->closed[p->closed_count++] = (struct packed){ buf_take(&p->open), p->open_key, p->records };
	reset_open(p);
	return p->bytes_closed > p->bytes_max ? ERR_FULL : OK;
}

static enum err ready(struct pack *p) {
	if (p->open.n && p->open_key != p->shard_key) {
		enum err e = close_open(p);
		if (e) return e;
	}
	if (p->open.n) return OK;
	p->open_key = p->shard_key;
	batch_begin(&p->writer, &p->open, p->received);
	return p->open.err;
}

/* ---- definitions, once a batch ---- */

static size_t place(const struct pack *p, const struct hash128 *hash, uint16_t kind) {
	uint64_t h;
	memcpy(&h, hash->b, sizeof h);
	for (size_t i = h & (p->slot_count - 1);; i = (i + 1) & (p->slot_count - 1)) {
		const struct slot *s = &p->slots[i];
		if (s->batch != p->batch) return i;
		if (s->kind == kind && memcmp(&s->hash, hash, sizeof *hash) == 0) return i;
	}
}

static enum err grow(struct pack *p) {
	struct slot *old = p->slots;
	size_t count = p->slot_count;
	struct slot *slots = calloc(count * 2, sizeof *slots);
	if (!slots) return ERR_NOMEM;
	p->slots = slots;
	p->slot_count = count * 2;
	for (size_t i = 0; i < count; i++) {
		if (old[i].batch == p->batch) slots[place(p, &old[i].hash, old[i].kind)] = old[i];
	}
	free(old);
	return OK;
}

/* The slot of a definition; `*fresh`: it has no index yet. */
static enum err slot_of(struct pack *p, const struct hash128 *hash, uint16_t kind, struct slot **out, bool *fresh) {
	if (p->slots_used * 2 >= p->slot_count) {
		enum err e = grow(p);
		if (e) return e;
	}
	struct slot *s = &p->slots[place(p, hash, kind)];
	*fresh = s->batch != p->batch;
	if (*fresh) {
		*s = (struct slot){ .hash = *hash, .kind = kind, .batch = p->batch };
		p->slots_used++;
	}
	*out = s;
	return OK;
}

static enum err resource_index(struct pack *p, uint32_t *out) {
	struct slot *s;
	bool fresh;
	enum err e = slot_of(p, &p->resource_hash, KIND_RESOURCE, &s, &fresh);
	if (e) return e;
	if (fresh) s->index = batch_put_resource_canonical(&p->writer, series_namer_list(&p->namer));
	*out = s->index;
	return p->namer.bytes.err ? p->namer.bytes.err : p->open.err;
}

static enum err series_define(struct pack *p, const struct pack_metric *m, const struct pack_series *name,
                              uint32_t *out) {
	struct batch_series series = { .id = name->id, .kind = m->kind, .unit = m->unit };
	enum err e = resource_index(p, &series.resource);
	if (e) return e;
	*out = batch_put_series_canonical(&p->writer, &series, name->tail);
	return p->open.err;
}

/* One that was learned carries its place with it, and needs no table. */
static enum err learned_index(struct pack *p, const struct pack_metric *m, const struct pack_series *name,
                              uint32_t *out) {
	struct memo_entry *k = name->learned;
	if (k->stamp_batch != p->batch) {
		enum err e = series_define(p, m, name, &k->stamp_index);
		if (e) return e;
		k->stamp_batch = p->batch;
	}
	*out = k->stamp_index;
	return OK;
}

static enum err series_index(struct pack *p, const struct pack_metric *m, const struct pack_series *name,
                             uint32_t *out) {
	struct slot *s;
	bool fresh;
	if (name->learned) return learned_index(p, m, name, out);
	enum err e = slot_of(p, &name->id.h, (uint16_t)m->kind, &s, &fresh);
	if (e) return e;
	if (fresh) {
		uint32_t index;
		e = series_define(p, m, name, &index);
		if (e) return e;
		s = &p->slots[place(p, &name->id.h, (uint16_t)m->kind)]; /* the resource may have moved the slots */
		s->index = index;
	}
	*out = s->index;
	return OK;
}

/* ---- records ---- */

struct record {
	enum batch_item type;
	const struct pack_metric *metric; /* POINT, HISTOGRAM */
	const struct pack_series *series;
	union {
		struct batch_point *point;
		struct batch_histogram *histogram;
		struct batch_span *span;
		struct batch_log *log;
	};
	const double *bounds;
	const uint64_t *counts;
};

/* Definitions, as far as they are new, and the record; what did not fit shows in the writer. */
static enum err put_once(struct pack *p, const struct record *r) {
	struct batch_writer *w = &p->writer;
	enum err e = OK;
	switch (r->type) {
	case BATCH_POINT:
		e = series_index(p, r->metric, r->series, &r->point->series);
		if (!e) batch_put_point(w, r->point);
		break;
	case BATCH_HISTOGRAM:
		e = series_index(p, r->metric, r->series, &r->histogram->series);
		if (!e) batch_put_histogram(w, r->histogram, r->bounds, r->counts);
		break;
	case BATCH_SPAN:
		e = resource_index(p, &r->span->resource);
		if (!e) batch_put_span(w, r->span);
		break;
	default:
		e = resource_index(p, &r->log->resource);
		if (!e) batch_put_log(w, r->log);
	}
	return e ? e : p->open.err;
}

/* Once more in a fresh batch when it did not fit into the one that was begun. */
static enum err put(struct pack *p, const struct record *r) {
	for (;;) {
		enum err e = ready(p);
		if (e) return e;
		struct batch_mark before = batch_mark(&p->writer);
		e = put_once(p, r);
		if (!e) p->records++;
		if (e != ERR_TOO_LARGE) return e;
		batch_back(&p->writer, before);
		if (p->records == 0) {
			reset_open(p);
			return ERR_TOO_LARGE;
		}
		e = close_open(p);
		if (e) return e;
	}
}

enum err pack_point(struct pack *p, const struct pack_metric *m, const struct pack_series *s, struct batch_point *v) {
	return put(p, &(struct record){ .type = BATCH_POINT, .metric = m, .series = s, .point = v });
}

enum err pack_histogram(struct pack *p, const struct pack_metric *m, const struct pack_series *s,
                        struct batch_histogram *v, const double *bounds, const uint64_t *counts) {
	return put(
		p, &(struct record){
			   .type = BATCH_HISTOGRAM, .metric = m, .series = s, .histogram = v, .bounds = bounds, .counts = counts });
}

enum err pack_span(struct pack *p, struct batch_span *v) {
	return put(p, &(struct record){ .type = BATCH_SPAN, .span = v });
}

enum err pack_log(struct pack *p, struct batch_log *v) {
	return put(p, &(struct record){ .type = BATCH_LOG, .log = v });
}

enum err pack_end(struct pack *p, struct packed **batches, size_t *count) {
	enum err e = close_open(p);
	if (e) return e;
	*batches = p->closed;
	*count = p->closed_count;
	return OK;
}
