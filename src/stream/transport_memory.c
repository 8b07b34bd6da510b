#include "stream/transport_memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"

struct opts {
	int64_t bytes, batches, shards;
};

/* A batch of at most 4 MiB always fits an empty shard: bytes are at least 4 MiB for each. */
const struct param transport_memory_params[] = { { "bytes", PARAM_BYTES, offsetof(struct opts, bytes),
	                                               4.0 * 1024 * 1024, 1e12, "64MiB", NULL, false,
	                                               "bytes of batches held at once, over all shards" },
	                                             { "batches", PARAM_INT, offsetof(struct opts, batches), 1, 1e9,
	                                               "65536", NULL, false, "batches held at once, over all shards" },
	                                             { "shards", PARAM_INT, offsetof(struct opts, shards), 1, 256, "1",
	                                               NULL, false, "parts that the stream is divided into, by series" },
	                                             PARAM_END };

struct held {
	struct list node;
	uint64_t position;
	size_t n;
	char bytes[];
};

/* Read ones first, in order, then those that wait. */
struct shard {
	struct list held;
	struct list *unread; /* the first that was not polled; the head when all were */
	uint64_t last_put, last_read, let_go;
	int64_t batches, bytes, high_water;
};

struct finished {
	struct list node;
	uint64_t tag;
};

/* A producer's end. */
struct end {
	struct batch_sink sink;
	struct list node;
	struct memory *memory;
	struct list finished; /* puts whose end was not polled yet; as many as a shard may hold */
	int64_t finished_count;
};

struct memory {
	struct transport transport;
	struct world *world;
	struct list ends;
	int64_t bytes_max, batches_max; /* of one shard */
	uint32_t shard_count;
	struct shard shards[];
};

static struct memory *of(struct transport *t) {
	return container_of(t, struct memory, transport);
}

static struct end *end_of(struct batch_sink *s) {
	return container_of(s, struct end, sink);
}

/* Which shard: the high bits of a product, so that any count of shards divides the keys evenly. */
static struct shard *shard_of(struct memory *m, uint64_t key) {
	uint64_t mixed = key * UINT64_C(0x9e3779b97f4a7c15);
	return &m->shards[(uint32_t)(((mixed >> 32) * m->shard_count) >> 32)];
}

static bool has_room(const struct memory *m, const struct shard *s, size_t n) {
	return s->batches < m->batches_max && s->bytes + (int64_t)n <= m->bytes_max;
}

static enum err memory_put(struct batch_sink *sink, struct str batch, uint64_t shard_key, uint64_t tag) {
	struct end *end = end_of(sink);
	struct memory *m = end->memory;
	struct shard *s = shard_of(m, shard_key);
	if (batch.n > BATCH_BYTES_MAX) return ERR_TOO_LARGE;
	if (!has_room(m, s, batch.n) || end->finished_count >= m->batches_max) return ERR_AGAIN;
	if (FAULT(m->world, "stream.put.full")) return ERR_AGAIN;

	struct held *h = malloc(sizeof *h + batch.n);
	struct finished *f = malloc(sizeof *f);
	if (!h || !f) {
		free(h);
		free(f);
		return ERR_AGAIN;
	}
	*h = (struct held){ .position = ++s->last_put, .n = batch.n };
	if (batch.n) memcpy(h->bytes, batch.p, batch.n);
	list_push(&s->held, &h->node);
	if (s->unread == &s->held) s->unread = &h->node;
	s->batches++;
	s->bytes += (int64_t)h->n;
	if (s->bytes > s->high_water) s->high_water = s->bytes;
	*f = (struct finished){ .tag = tag };
	list_push(&end->finished, &f->node);
	end->finished_count++;
	return OK;
}

static bool memory_put_poll(struct batch_sink *sink, struct sink_done *out) {
	struct end *end = end_of(sink);
	struct list *first = list_shift(&end->finished);
	if (!first) return false;
	end->finished_count--;
	struct finished *f = container_of(first, struct finished, node);
	*out = (struct sink_done){ .tag = f->tag, .err = OK };
	free(f);
	return true;
}

static const struct batch_sink_ops sink_ops = { .put = memory_put, .poll = memory_put_poll };

static struct batch_sink *memory_sink(struct transport *t) {
	struct end *end = calloc(1, sizeof *end);
	if (!end) return NULL;
	end->sink.ops = &sink_ops;
	end->memory = of(t);
	list_init(&end->finished);
	list_push(&end->memory->ends, &end->node);
	return &end->sink;
}

static void end_close(struct end *end) {
	struct sink_done done;
	while (memory_put_poll(&end->sink, &done)) {}
	list_remove(&end->node);
	free(end);
}

static uint32_t memory_shards(struct transport *t) {
	return of(t)->shard_count;
}

static void drop(struct shard *s, struct held *h) {
	list_remove(&h->node);
	s->batches--;
	s->bytes -= (int64_t)h->n;
	free(h);
}

static void sweep(struct shard *s, uint64_t position) {
	list_each_safe(it, &s->held) {
		struct held *h = container_of(it, struct held, node);
		if (h->position > position) break;
		drop(s, h);
	}
}

/* What an earlier process had is gone with it: what this one holds was never read, and is numbered on. */
static enum err memory_resume(struct transport *t, uint32_t shard, uint64_t position) {
	struct memory *m = of(t);
	assert(shard < m->shard_count);
	struct shard *s = &m->shards[shard];
	if (s->last_read) return ERR_INVALID;
	list_each(it, &s->held) container_of(it, struct held, node)->position += position;
	s->last_put += position;
	s->let_go = position;
	return OK;
}

static bool memory_poll(struct transport *t, uint32_t shard, struct transport_batch *out) {
	struct memory *m = of(t);
	assert(shard < m->shard_count);
	struct shard *s = &m->shards[shard];
	sweep(s, s->let_go);
	if (s->unread == &s->held) return false;
	struct held *h = container_of(s->unread, struct held, node);
	s->unread = h->node.next;
	s->last_read = h->position;
	*out = (struct transport_batch){ .shard = shard, .position = h->position, .bytes = { h->bytes, h->n } };
	return true;
}

/* The batch that was read last is the reader's until its next poll, let go or not. */
static enum err memory_checkpoint(struct transport *t, uint32_t shard, uint64_t position) {
	struct memory *m = of(t);
	assert(shard < m->shard_count);
	struct shard *s = &m->shards[shard];
	if (position > s->last_read) return ERR_INVALID;
	if (position > s->let_go) s->let_go = position;
	uint64_t in_hand = s->last_read;
	sweep(s, s->let_go < in_hand ? s->let_go : in_hand ? in_hand - 1 : 0);
	return OK;
}

static void memory_depth(struct transport *t, uint32_t shard, int64_t *batches, int64_t *bytes, int64_t *high_water) {
	struct memory *m = of(t);
	assert(shard < m->shard_count);
	*batches = m->shards[shard].batches;
	*bytes = m->shards[shard].bytes;
	*high_water = m->shards[shard].high_water;
}

static void memory_close(struct transport *t) {
	struct memory *m = of(t);
	list_each_safe(it, &m->ends) end_close(container_of(it, struct end, node));
	for (uint32_t i = 0; i < m->shard_count; i++) {
		list_each_safe(it, &m->shards[i].held) drop(&m->shards[i], container_of(it, struct held, node));
	}
	free(m);
}

static enum err read_opts(const struct url *u, struct opts *o, struct why *why) {
	enum err e = param_url(transport_memory_params, u, o, "stream: memory", why);
	if (e || o->bytes >= o->shards * BATCH_BYTES_MAX) return e;
	return why_set(why, ERR_INVALID,
	               "stream memory: bytes is below 4MiB for each of %lld shards; give at least %lldMiB",
	               (long long)o->shards, (long long)o->shards * 4);
}

static enum err memory_open(struct world *w, const struct url *u, struct transport **out, struct why *why) {
	struct opts o;
	enum err e = read_opts(u, &o, why);
	if (e) return e;
	if (u->host.n || u->path.n) return why_set(why, ERR_INVALID, "stream: memory: takes no host and no path");

	struct memory *m = calloc(1, sizeof *m + (size_t)o.shards * sizeof *m->shards);
	if (!m) return why_set(why, ERR_NOMEM, "stream memory: no memory for %lld shards", (long long)o.shards);
	m->transport.ops = &transport_memory;
	m->world = w;
	m->shard_count = (uint32_t)o.shards;
	m->bytes_max = o.bytes / o.shards;
	m->batches_max = o.batches / o.shards > 0 ? o.batches / o.shards : 1;
	list_init(&m->ends);
	for (uint32_t i = 0; i < m->shard_count; i++) {
		list_init(&m->shards[i].held);
		m->shards[i].unread = &m->shards[i].held;
	}
	*out = &m->transport;
	return OK;
}

const struct transport_ops transport_memory = { .scheme = "memory",
	                                            .open = memory_open,
	                                            .sink = memory_sink,
	                                            .shards = memory_shards,
	                                            .resume = memory_resume,
	                                            .poll = memory_poll,
	                                            .checkpoint = memory_checkpoint,
	                                            .depth = memory_depth,
	                                            .close = memory_close };
