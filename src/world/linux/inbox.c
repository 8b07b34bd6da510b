#include "world/linux/inbox.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_BITS 20
#define SLOT_MASK ((UINT64_C(1) << SLOT_BITS) - 1)

/* Headers, target and peer of one exchange, trailers too. */
#define ARENA_MAX ((size_t)128 * 1024)

enum err inbox_open(struct inbox *b, struct loop *l, size_t max) {
	assert(max >= 1 && max <= SLOT_MASK + 1);
	*b = (struct inbox){ .loop = l, .max = max };
	list_init(&b->ready);
	buf_init(&b->lent_body, 0);
	b->slots = calloc(max, sizeof *b->slots);
	b->free_slots = calloc(max, sizeof *b->free_slots);
	if (!b->slots || !b->free_slots) {
		inbox_close(b);
		return ERR_NOMEM;
	}
	return OK;
}

static void free_exchange(struct exchange *x) {
	arena_done(&x->arena);
	buf_done(&x->body);
	x->free(x);
}

static void release(struct inbox *b) {
	struct exchange *x = b->lent;
	b->lent = NULL;
	b->lent_body.n = 0;
	if (x && x->gone) free_exchange(x);
}

void inbox_close(struct inbox *b) {
	release(b);
	for (size_t i = 0; i < b->used; i++) {
		if (b->slots[i]) inbox_drop(b, b->slots[i]);
	}
	free(b->slots);
	free(b->free_slots);
	buf_done(&b->lent_body);
	*b = (struct inbox){ 0 };
}

enum err inbox_add(struct inbox *b, struct exchange *x, void (*free)(struct exchange *)) {
	if (b->free_count == 0 && b->used == b->max) return ERR_FULL;
	/* Slots never used stay untouched, so that a large `max` costs no memory until it is needed. */
	uint32_t slot = b->free_count ? b->free_slots[--b->free_count] : (uint32_t)b->used++;
	x->id = ++b->serial << SLOT_BITS | slot;
	x->free = free;
	arena_init(&x->arena, ARENA_MAX);
	buf_init(&x->body, HTTP_PIECE_MAX);
	b->slots[slot] = x;
	return OK;
}

struct exchange *inbox_find(const struct inbox *b, uint64_t id) {
	uint64_t slot = id & SLOT_MASK;
	struct exchange *x = slot < b->used ? b->slots[slot] : NULL;
	return x && x->id == id ? x : NULL;
}

void inbox_drop(struct inbox *b, struct exchange *x) {
	assert(!x->gone);
	uint64_t slot = x->id & SLOT_MASK;
	b->slots[slot] = NULL;
	b->free_slots[b->free_count++] = (uint32_t)slot;
	list_remove(&x->node);
	x->gone = true;
	if (b->lent != x) free_exchange(x);
}

struct str exchange_copy(struct exchange *x, struct str s) {
	return str_copy(&x->arena, s);
}

bool exchange_header(struct exchange *x, struct headers *h, struct str name, struct str value) {
	if (h->count == HTTP_HEADERS_MAX || name.n + value.n > HTTP_HEADER_BYTES_MAX - h->bytes) return false;
	char *lower = arena_copy(&x->arena, name.p, name.n);
	char *copy = arena_copy(&x->arena, value.p, value.n);
	if (!lower || !copy) return false;
	for (size_t i = 0; i < name.n; i++) {
		if (lower[i] >= 'A' && lower[i] <= 'Z') lower[i] = (char)(lower[i] - 'A' + 'a');
	}
	h->at[h->count++] = (struct http_header){ { lower, name.n }, { copy, value.n } };
	h->bytes += name.n + value.n;
	return true;
}

static void ready(struct inbox *b, struct exchange *x) {
	if (!list_linked(&x->node)) list_push(&b->ready, &x->node);
	loop_kick(b->loop);
}

void inbox_head(struct inbox *b, struct exchange *x) {
	x->begin.id = x->id;
	x->begin.headers = x->headers.at;
	x->begin.header_count = x->headers.count;
	x->head = true;
	ready(b, x);
}

enum err inbox_body(struct inbox *b, struct exchange *x, struct str bytes) {
	assert(bytes.n <= exchange_room(x));
	buf_str(&x->body, bytes);
	if (x->body.err) return x->body.err;
	if (bytes.n) ready(b, x);
	return OK;
}

void inbox_end(struct inbox *b, struct exchange *x) {
	x->end = true;
	ready(b, x);
}

void inbox_mute(struct inbox *b, struct exchange *x) {
	(void)b;
	x->head = x->end = x->failed = false;
	x->body.n = 0;
	list_remove(&x->node);
}

void inbox_fail(struct inbox *b, struct exchange *x, enum err e, const char *why) {
	inbox_mute(b, x);
	if (!x->known) {
		inbox_drop(b, x);
		return;
	}
	x->err = e;
	why_set(&x->why, e, "%s", why ? why : err_text(e));
	x->failed = true;
	ready(b, x);
}

/* The piece goes out with its buffer; the one that comes back empty is filled next. */
static void take_body(struct inbox *b, struct exchange *x, struct http_event *out) {
	struct buf piece = x->body;
	x->body = b->lent_body;
	x->body.n = 0;
	x->body.max = HTTP_PIECE_MAX;
	x->body.err = OK;
	b->lent_body = piece;
	out->kind = HTTP_BODY;
	out->body = buf_get(&b->lent_body);
}

static void take(struct inbox *b, struct exchange *x, struct http_event *out) {
	if (x->failed) {
		*out = (struct http_event){ .kind = HTTP_FAILED, .err = x->err, .why = x->why.text };
		x->failed = false;
	} else if (x->head) {
		*out = x->begin;
		x->head = false;
		x->known = true;
	} else if (x->body.n) {
		take_body(b, x, out);
	} else {
		assert(x->end);
		out->kind = HTTP_END;
		out->headers = x->trailers.at;
		out->header_count = x->trailers.count;
		x->end = false;
	}
	out->id = x->id;
}

struct exchange *inbox_poll(struct inbox *b, struct http_event *out) {
	release(b);
	struct list *n = list_shift(&b->ready);
	if (!n) return NULL;
	struct exchange *x = container_of(n, struct exchange, node);
	*out = (struct http_event){ 0 };
	take(b, x, out);
	b->lent = x;
	/* To the end of the row: a large body does not hold up the others. */
	if (x->body.n || x->end || x->failed || x->head) list_push(&b->ready, &x->node);
	if (out->kind == HTTP_FAILED) inbox_drop(b, x);
	return x;
}
