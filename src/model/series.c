#include "model/series.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX       "FBID1"
#define PREFIX_BYTES (sizeof PREFIX - 1)
#define ON_STACK     4096

/* The first eight bytes as a number that sorts as the bytes do; a shorter key is padded with zeros. */
static uint64_t head(struct str s) {
	uint64_t v = 0;
	if (s.n >= 8) {
		memcpy(&v, s.p, 8);
	} else {
		for (size_t i = 0; i < s.n; i++) v |= (uint64_t)(unsigned char)s.p[i] << (56 - 8 * i);
		return v;
	}
	return be64toh(v);
}

static int key_cmp(const struct attr *a, const struct attr *b) {
	uint64_t x = head(a->key), y = head(b->key);
	if (x != y) return x < y ? -1 : 1;
	return str_cmp(a->key, b->key);
}

/* Merge sort, stable: for long lists, which a peer may send in any order. */
static void merge(struct attr *v, size_t n, struct attr *spare) {
	if (n < 2) return;
	size_t half = n / 2, i = 0, j = half, k = 0;
	merge(v, half, spare);
	merge(v + half, n - half, spare);
	if (key_cmp(&v[half - 1], &v[half]) <= 0) return;
	memcpy(spare, v, half * sizeof *v);
	while (i < half && j < n) v[k++] = key_cmp(&v[j], &spare[i]) < 0 ? v[j++] : spare[i++];
	while (i < half) v[k++] = spare[i++];
}

#define FEW 16

/* Insertion, stable: most lists are short, and sorted already or nearly. True: keys rise strictly. */
static bool insertion(struct attr *v, size_t n) {
	uint64_t heads[FEW];
	bool rises = true;
	for (size_t i = 0; i < n; i++) {
		struct attr moved = v[i];
		uint64_t h = head(moved.key);
		size_t j = i;
		for (; j > 0; j--) {
			if (h > heads[j - 1]) break;
			int c = h < heads[j - 1] ? -1 : str_cmp(moved.key, v[j - 1].key);
			rises &= c != 0;
			if (c >= 0) break;
			v[j] = v[j - 1];
			heads[j] = heads[j - 1];
		}
		if (j != i) v[j] = moved;
		heads[j] = h;
	}
	return rises;
}

/* True: no key stands there twice. */
static bool sort_by_key(struct attr *v, size_t n) {
	if (n <= FEW) return insertion(v, n);
	struct attr small[ATTRS_MAX / 2], *spare = small;
	if (n / 2 > ATTRS_MAX / 2) spare = malloc(n / 2 * sizeof *v);
	assert(spare); /* more than ATTRS_MAX comes from our own code only */
	merge(v, n, spare);
	if (spare != small) free(spare);
	return false;
}

size_t attrs_canonical(struct attr *v, size_t n) {
	if (sort_by_key(v, n)) return n;
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && str_eq(v[i].key, v[i + 1].key)) continue;
		if (kept != i) v[kept] = v[i];
		kept++;
	}
	return kept;
}

struct str attrs_get(struct attrs a, const char *key) {
	struct str k = str_of(key);
	for (size_t i = a.n; i > 0; i--) {
		struct str value = a.v[i - 1].value;
		if (str_eq(a.v[i - 1].key, k)) return (struct str){ value.p ? value.p : "", value.n };
	}
	return (struct str){ NULL, 0 };
}

static char *put_u32(char *p, size_t v) {
	uint32_t le = htole32((uint32_t)v);
	memcpy(p, &le, sizeof le);
	return p + sizeof le;
}

static char *put_str(char *p, struct str s) {
	p = put_u32(p, s.n);
	if (s.n) memcpy(p, s.p, s.n);
	return p + s.n;
}

static char *put_attrs(char *p, struct attrs a) {
	p = put_u32(p, a.n);
	for (size_t i = 0; i < a.n; i++) p = put_str(put_str(p, a.v[i].key), a.v[i].value);
	return p;
}

static size_t attrs_bytes(struct attrs a) {
	size_t n = 4;
	for (size_t i = 0; i < a.n; i++) n += 8 + a.v[i].key.n + a.v[i].value.n;
	return n;
}

struct series_id series_identity(struct attr *resource, size_t resource_count, struct str metric, struct attr *point,
                                 size_t point_count) {
	struct attrs r = { resource, attrs_canonical(resource, resource_count) };
	struct attrs a = { point, attrs_canonical(point, point_count) };
	size_t n = PREFIX_BYTES + attrs_bytes(r) + 4 + metric.n + attrs_bytes(a);
	char small[ON_STACK], *bytes = n > sizeof small ? malloc(n) : small;
	assert(bytes);
	memcpy(bytes, PREFIX, PREFIX_BYTES);
	char *end = put_attrs(put_str(put_attrs(bytes + PREFIX_BYTES, r), metric), a);
	assert(end == bytes + n);
	struct series_id id = { hash128((struct str){ bytes, n }) };
	if (bytes != small) free(bytes);
	return id;
}

void series_namer_init(struct series_namer *n) {
	*n = (struct series_namer){ 0 };
	buf_init(&n->bytes, 0);
}

void series_namer_done(struct series_namer *n) {
	if (n) buf_done(&n->bytes);
}

void series_namer_resource(struct series_namer *n, struct attrs resource, struct hash128 *out) {
	buf_clear(&n->bytes);
	*out = (struct hash128){ { 0 } };
	size_t bytes = PREFIX_BYTES + attrs_bytes(resource);
	char *p = buf_room(&n->bytes, bytes);
	n->resource_end = bytes;
	if (!p) return;
	memcpy(p, PREFIX, PREFIX_BYTES);
	put_attrs(p + PREFIX_BYTES, resource);
	n->bytes.n = bytes;
	*out = hash128(buf_get(&n->bytes));
}

struct str series_namer_list(const struct series_namer *n) {
	if (n->bytes.n < n->resource_end) return (struct str){ NULL, 0 };
	return (struct str){ n->bytes.p + PREFIX_BYTES, n->resource_end - PREFIX_BYTES };
}

void series_namer_again(struct series_namer *n, struct str list) {
	buf_clear(&n->bytes);
	buf_str(&n->bytes, STR(PREFIX));
	buf_str(&n->bytes, list);
	n->resource_end = PREFIX_BYTES + list.n;
}

enum err series_namer_id(struct series_namer *n, struct str metric, struct attrs point, struct series_id *out,
                         struct str *tail) {
	if (n->bytes.err) return n->bytes.err;
	n->bytes.n = n->resource_end;
	size_t bytes = 4 + metric.n + attrs_bytes(point);
	char *p = buf_room(&n->bytes, bytes);
	if (!p) return n->bytes.err;
	put_attrs(put_str(p, metric), point);
	n->bytes.n += bytes;
	*out = (struct series_id){ hash128(buf_get(&n->bytes)) };
	if (tail) *tail = (struct str){ n->bytes.p + n->resource_end, bytes };
	return OK;
}
