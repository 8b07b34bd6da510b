#include "ingest/otlp.h"

#include <inttypes.h>
#include <stdlib.h>

#include "ingest/otlp_in.h"

const char *otlp_signal_name(enum otlp_signal s) {
	static const char *const names[] = { "metrics", "logs", "traces" };
	return names[s];
}

const char *otlp_record_name(enum otlp_signal s) {
	static const char *const names[] = { "data points", "log records", "spans" };
	return names[s];
}

static const struct {
	const char *name, *text;
} reasons[] = {
#define X(name, label, text) { label, text },
	OTLP_REASON_TABLE(X)
#undef X
};

const char *otlp_reason_name(enum otlp_reason r) {
	return reasons[r].name;
}

int64_t otlp_rejected(const struct otlp_result *r) {
	int64_t sum = 0;
	for (size_t i = 0; i < OTLP_REASONS; i++) sum += r->rejected[i];
	return sum;
}

void otlp_explain(enum otlp_signal s, const struct otlp_result *r, struct buf *out) {
	const char *between = "";
	for (size_t i = 0; i < OTLP_REASONS; i++) {
		if (!r->rejected[i]) continue;
		buf_printf(out, "%s%" PRId64 " %s %s", between, r->rejected[i], otlp_record_name(s), reasons[i].text);
		between = "; ";
	}
}

enum err otlp_new(struct otlp_opts opts, struct otlp **out) {
	struct otlp *o = calloc(1, sizeof *o);
	if (!o) return ERR_NOMEM;
	o->opts = opts;
	arena_init(&o->resource.text, 0);
	arena_init(&o->record.text, 0);
	arena_init(&o->scope_attrs.text, 0);
	buf_init(&o->text, 0);
	*out = o;
	return OK;
}

void otlp_free(struct otlp *o) {
	if (!o) return;
	arena_done(&o->resource.text);
	arena_done(&o->record.text);
	arena_done(&o->scope_attrs.text);
	buf_done(&o->text);
	free(o);
}

/* ---- what the readers share ---- */

void otlp_stop(struct otlp *o, enum err e, const char *what) {
	if (!o->err) o->err = why_set(&o->why, e, "%s", what);
}

bool otlp_sound(struct otlp *o, const struct wire *w) {
	if (w->wrong && !o->err) {
		size_t at = (size_t)((const char *)w->p - o->body.p);
		o->err =
			why_set(&o->why, ERR_INVALID, "malformed protobuf: %s, in the message that ends at byte %zu", w->wrong, at);
	}
	return !o->err;
}

bool otlp_time(uint64_t ns, struct wall *out) {
	*out = (struct wall){ (int64_t)(ns & INT64_MAX) };
	return ns <= INT64_MAX;
}

void otlp_reject(struct otlp *o, enum otlp_reason r, int64_t count) {
	o->result->rejected[r] += count;
}

void otlp_booked(struct otlp *o, enum err e) {
	if (!e) {
		o->result->accepted++;
	} else if (e == ERR_TOO_LARGE) {
		otlp_reject(o, OTLP_SIZE, 1);
	} else if (e == ERR_FULL) {
		otlp_stop(o, ERR_TOO_LARGE, "the request is too large once read; send smaller ones");
	} else {
		otlp_stop(o, e, "no memory for the request");
	}
}

/* ---- scopes ---- */

#define SCOPE_PREFIX "otel.scope."

void otlp_scope_none(struct otlp *o) {
	o->scope = (struct str){ NULL, 0 };
	o->scope_hash = (struct hash128){ { 0 } };
	otlp_list_clear(&o->scope_attrs);
}

/* One of the scope's own attributes; its key gets the prefix under which others write it down too. */
static void scope_attribute(struct otlp *o, struct wire *w, const struct wire_field *f) {
	struct attr_list *l = &o->scope_attrs;
	size_t before = l->n;
	otlp_attribute(o, l, w, f);
	if (l->n == before) return;
	struct str key = l->v[l->n - 1].key;
	l->v[l->n - 1].key = str_printf(&l->text, SCOPE_PREFIX STR_FMT, STR_ARG(key));
	if (!l->v[l->n - 1].key.p) otlp_stop(o, ERR_NOMEM, "no memory for the request");
}

void otlp_scope_read(struct otlp *o, struct str bytes) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	struct str version = { NULL, 0 };
	struct hash128 both[2] = { o->scope_hash, hash128(bytes) }; /* of several scopes all count */
	o->scope_hash = hash128((struct str){ (const char *)both, sizeof both });
	while (!o->err && wire_next(&w, &f)) {
		if (f.number == 1) wire_text(&w, &f, &o->scope);
		if (f.number == 2) wire_text(&w, &f, &version);
		if (f.number == 3) scope_attribute(o, &w, &f);
	}
	if (!otlp_sound(o, &w)) return;
	if (o->scope.n) otlp_list_add(&o->scope_attrs, STR(SCOPE_PREFIX "name"), o->scope);
	if (version.n) otlp_list_add(&o->scope_attrs, STR(SCOPE_PREFIX "version"), version);
}

/* ---- resources ---- */

static void resource(struct otlp *o, struct str bytes) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	while (!o->err && wire_next(&w, &f)) {
		if (f.number == 1) otlp_attribute(o, &o->resource, &w, &f);
	}
	otlp_sound(o, &w);
}

/* Field 1 of Resource{Metrics,Logs,Spans}, as sent; it may stand behind the scopes. `scattered`: there are several. */
static struct run resource_run(struct otlp *o, struct str bytes) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	struct run run = { NULL, NULL, false };
	while (wire_next(&w, &f)) {
		if (f.number != 1 || !wire_is(&w, &f, WIRE_BYTES)) continue;
		run.scattered = run.from != NULL;
		run.from = (const unsigned char *)f.bytes.p;
		run.to = run.from + f.bytes.n;
	}
	otlp_sound(o, &w);
	return run;
}

/* All of them, one after the other. */
static struct attrs resource_read(struct otlp *o, struct str bytes) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	otlp_list_clear(&o->resource);
	while (!o->err && wire_next(&w, &f)) {
		if (f.number == 1) resource(o, f.bytes);
	}
	return otlp_list_attrs(&o->resource);
}

/* One service's series keep their order: the key is the service's name, or all that is known. */
static uint64_t shard_key(struct attrs resource) {
	struct str name = attrs_get(resource, "service.name"), space = attrs_get(resource, "service.namespace");
	uint64_t key = hash64(name) ^ (hash64(space) << 1 | hash64(space) >> 63);
	if (name.p) return key;
	for (size_t i = 0; i < resource.n; i++) key = key * 31 + (hash64(resource.v[i].key) ^ hash64(resource.v[i].value));
	return key;
}

/* Takes the resource of Resource{Metrics,Logs,Spans} in hand; returns its shard key. */
static uint64_t resource_of(struct otlp *o, struct str bytes) {
	struct run run = resource_run(o, bytes);
	struct str raw = { (const char *)run.from, run.from ? (size_t)(run.to - run.from) : 0 };
	bool whole = raw.p && !run.scattered && !o->err;
	uint64_t key;
	o->resource.too_many = false;
	if (whole && pack_resource_known(o->pack, raw, &key)) return key;
	struct attrs attrs = resource_read(o, bytes);
	key = shard_key(attrs);
	pack_resource(o->pack, attrs, key);
	if (whole && !o->err && !o->resource.too_many) pack_resource_learn(o->pack, raw);
	return key;
}

static void group(struct otlp *o, enum otlp_signal s, struct str bytes) {
	resource_of(o, bytes);
	if (o->err) return;
	struct wire w = wire_of(bytes);
	struct wire_field f;
	while (!o->err && wire_next(&w, &f)) {
		if (f.number != 2 || !wire_is(&w, &f, WIRE_BYTES)) continue;
		if (s == OTLP_METRICS) otlp_scope_metrics(o, f.bytes);
		if (s == OTLP_LOGS) otlp_scope_logs(o, f.bytes);
		if (s == OTLP_TRACES) otlp_scope_spans(o, f.bytes);
	}
	otlp_sound(o, &w);
}

/* ---- requests ---- */

/* A forwarder's request may name many services by turns. So that each change does not end a batch, up
 * to GROUPS resources are looked at together and read by shard key; within a key order stays. */
#define GROUPS 256

struct group {
	struct str bytes;
	uint64_t key;
	size_t at;
};

static int by_key(const void *a, const void *b) {
	const struct group *x = a, *y = b;
	if (x->key != y->key) return x->key < y->key ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static void groups(struct otlp *o, enum otlp_signal s, struct group *g, size_t n) {
	for (size_t i = 0; n > 1 && i < n && !o->err; i++) g[i].key = resource_of(o, g[i].bytes);
	if (n > 1) qsort(g, n, sizeof *g, by_key);
	for (size_t i = 0; i < n && !o->err; i++) group(o, s, g[i].bytes);
}

static void request(struct otlp *o, enum otlp_signal s, struct str body) {
	struct group g[GROUPS];
	size_t n = 0;
	struct wire w = wire_of(body);
	struct wire_field f;
	while (!o->err && wire_next(&w, &f)) {
		if (f.number != 1 || !wire_is(&w, &f, WIRE_BYTES)) continue;
		g[n] = (struct group){ .bytes = f.bytes, .at = n };
		if (++n < GROUPS) continue;
		groups(o, s, g, n);
		n = 0;
	}
	if (otlp_sound(o, &w)) groups(o, s, g, n);
}

enum err otlp_decode(struct otlp *o, enum otlp_signal s, struct str body, struct wall received, struct pack *pack,
                     struct otlp_result *out, struct why *why) {
	*out = (struct otlp_result){ 0 };
	o->pack = pack;
	o->result = out;
	o->body = body;
	o->received = received;
	o->err = OK;
	pack_begin(pack, received, o->opts.batch_bytes_max);
	request(o, s, body);
	otlp_list_clear(&o->resource);
	otlp_list_clear(&o->record);
	return o->err ? why_set(why, o->err, "%s", o->why.text) : OK;
}
