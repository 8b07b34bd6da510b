#include "stream/series_table.h"

#include <stdlib.h>
#include <string.h>

#include "model/batch.h"
#include "stream/grid.h"

void series_table_init(struct series_table *t, size_t max) {
	*t = (struct series_table){ 0 };
	index_init(&t->by_id, max);
}

static void series_free(struct series *s) {
	if (!s) return;
	free(s->counts);
	free(s->bounds);
	free(s);
}

void series_table_done(struct series_table *t) {
	for (uint32_t i = 0; i < t->count; i++) series_free(t->v[i]);
	free(t->v);
	index_done(&t->by_id);
	*t = (struct series_table){ 0 };
}

uint32_t series_find(const struct series_table *t, struct series_id id) {
	return index_get(&t->by_id, &id.h);
}

static bool place(struct series_table *t, uint32_t *at) {
	while (t->free_from < t->count && t->v[t->free_from]) t->free_from++;
	*at = t->free_from;
	if (t->free_from < t->count) return true;
	if (t->count == t->cap) {
		uint32_t cap = t->cap ? 2 * t->cap : 64;
		struct series **v = realloc(t->v, cap * sizeof *v);
		if (!v) return false;
		t->v = v;
		t->cap = cap;
	}
	t->v[t->count++] = NULL;
	return true;
}

uint32_t series_add(struct series_table *t, struct series_id id) {
	uint32_t at;
	if (t->by_id.count >= t->by_id.max || !place(t, &at)) return INDEX_NONE;
	struct series *s = calloc(1, sizeof *s);
	if (!s || index_put(&t->by_id, &id.h, at) != OK) {
		free(s);
		return INDEX_NONE;
	}
	s->id = id;
	t->v[at] = s;
	return at;
}

static bool same_bounds(const struct series *s, const unsigned char *bounds_le, uint32_t count, double scale) {
	if (!s->bounds || s->bound_count != count) return false;
	for (uint32_t i = 0; i < count; i++)
		if (s->bounds[i] != (float)(batch_f64(bounds_le, i) * scale)) return false;
	return true;
}

bool series_bounds(struct series *s, const unsigned char *bounds_le, uint32_t count, double scale, bool *changed) {
	*changed = false;
	if (count > BOUNDS_MAX) return false;
	if (same_bounds(s, bounds_le, count, scale)) return true;
	float *bounds = malloc((count + 1) * sizeof *bounds);
	uint64_t *counts = calloc(count + 1, sizeof *counts);
	if (!bounds || !counts) {
		free(bounds);
		free(counts);
		return false;
	}
	for (uint32_t i = 0; i < count; i++) bounds[i] = (float)(batch_f64(bounds_le, i) * scale);
	free(s->bounds);
	free(s->counts);
	s->bounds = bounds;
	s->counts = counts;
	s->bound_count = count;
	s->settle = (struct settle){ 0 };
	*changed = true;
	return true;
}

void series_expire(struct series_table *t, int64_t before_ns) {
	for (uint32_t i = 0; i < t->count; i++) {
		struct series *s = t->v[i];
		if (!s || s->last_ns >= before_ns) continue;
		index_remove(&t->by_id, &s->id.h);
		series_free(s);
		t->v[i] = NULL;
		if (i < t->free_from) t->free_from = i;
	}
}
