#include "sim/shop/otlp.h"

#include <byteswap.h>

const double shop_bounds[SHOP_BOUNDS] = { 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10 };

/* ---- attributes ---- */

/* KeyValue{key=1, value=2: AnyValue{string=1 | bool=2 | int=3 | double=4}} */
void shop_attr_str(struct sim_wire *w, uint32_t field, const char *key, const char *value) {
	struct sim_wire any = { 0 }, kv = { 0 };
	sw_str(&any, 1, value);
	sw_str(&kv, 1, key);
	sw_message(&kv, 2, &any);
	sw_message(w, field, &kv);
	sw_done(&any);
	sw_done(&kv);
}

void shop_attr_int(struct sim_wire *w, uint32_t field, const char *key, int64_t value) {
	struct sim_wire any = { 0 }, kv = { 0 };
	sw_uint(&any, 3, (uint64_t)value);
	sw_str(&kv, 1, key);
	sw_message(&kv, 2, &any);
	sw_message(w, field, &kv);
	sw_done(&any);
	sw_done(&kv);
}

static const struct {
	int status; /* HTTP's; 0: no answer came */
	const char *error;
} outcomes[SHOP_OUTCOMES] = {
	[SHOP_OK] = { 200, NULL },         [SHOP_ERROR] = { 500, "500" },          [SHOP_BUSY] = { 503, "503" },
	[SHOP_TIMEOUT] = { 0, "timeout" }, [SHOP_REFUSED] = { 0, "ECONNREFUSED" }, [SHOP_RESET] = { 0, "ECONNRESET" },
	[SHOP_NO_SPACE] = { 0, "53100" },
};

/* What a database that has no room left answers: PostgreSQL's SQLSTATE, the others' own. */
static const struct {
	const char *system, *code;
} no_space[] = { { "postgresql", "53100" }, { "mysql", "1114" }, { "mongodb", "14031" }, { "redis", "MISCONF" } };

static void attr_no_space(struct sim_wire *w, uint32_t field, const char *system) {
	const char *code = no_space[0].code;
	for (size_t i = 0; i < sizeof no_space / sizeof *no_space; i++)
		if (!strcmp(system, no_space[i].system)) code = no_space[i].code;
	shop_attr_str(w, field, "error.type", code);
	shop_attr_str(w, field, "db.response.status_code", code);
}

void shop_attr_outcome(struct sim_wire *w, uint32_t field, enum shop_outcome o, const char *system) {
	if (system && o == SHOP_NO_SPACE) {
		attr_no_space(w, field, system);
		return;
	}
	if (!system && outcomes[o].status) shop_attr_int(w, field, "http.response.status_code", outcomes[o].status);
	if (outcomes[o].error) shop_attr_str(w, field, "error.type", outcomes[o].error);
}

/* ---- spans ---- */

void shop_form_init(struct shop_span_form *f, const char *name, int kind, const struct sim_wire *attributes,
                    const char *system, bool server) {
	*f = (struct shop_span_form){ 0 };
	sw_str(&f->name, 5, name);
	sw_uint(&f->name, 6, (uint64_t)kind);
	sw_bytes(&f->attributes, attributes->p, attributes->n);
	for (int o = 0; o < SHOP_OUTCOMES; o++) {
		struct sim_wire status = { 0 };
		shop_attr_outcome(&f->outcome[o], 9, (enum shop_outcome)o, system);
		if (o != SHOP_OK) { /* Status{message=2, code=3: ERROR} */
			if (!server && outcomes[o].error && !outcomes[o].status) sw_str(&status, 2, outcomes[o].error);
			sw_uint(&status, 3, 2);
		}
		sw_message(&f->outcome[o], 15, &status);
		sw_done(&status);
	}
}

void shop_form_done(struct shop_span_form *f) {
	sw_done(&f->name);
	sw_done(&f->attributes);
	for (int o = 0; o < SHOP_OUTCOMES; o++) sw_done(&f->outcome[o]);
}

/* Ids are big-endian bytes, as they are printed. */
static inline unsigned char *put_id(unsigned char *p, uint64_t id) {
	id = bswap_64(id);
	memcpy(p, &id, 8);
	return p + 8;
}

static inline unsigned char *put_time(unsigned char *p, unsigned char tag, int64_t ns) {
	*p = tag;
	memcpy(p + 1, &ns, 8);
	return p + 9;
}

static inline unsigned char *put_run(unsigned char *p, const void *run, size_t n) {
	memcpy(p, run, n);
	return p + n;
}

void shop_put_span(struct sim_wire *w, const struct shop_span_form *f, const struct shop_span *s, enum shop_outcome o,
                   struct str tracestate) {
	size_t state = tracestate.n ? 2 + tracestate.n : 0, parent = s->parent ? 10 : 0;
	size_t n = 18 + 10 + state + parent + f->name.n + 18 + f->attributes.n + f->outcome[o].n + 6;
	sw_room(w, n + 12);
	w->p[w->n++] = 0x12; /* ScopeSpans.spans */
	sw_varint(w, n);
	unsigned char *p = w->p + w->n;
	*p++ = 0x0a; /* trace_id */
	*p++ = 16;
	p = put_id(put_id(p, s->trace_hi), s->trace_lo);
	*p++ = 0x12; /* span_id */
	*p++ = 8;
	p = put_id(p, s->id);
	if (state) {
		*p++ = 0x1a;
		*p++ = (unsigned char)tracestate.n;
		p = put_run(p, tracestate.p, tracestate.n);
	}
	if (parent) {
		*p++ = 0x22;
		*p++ = 8;
		p = put_id(p, s->parent);
	}
	p = put_run(p, f->name.p, f->name.n);
	p = put_time(put_time(p, 0x39, s->start_ns), 0x41, s->end_ns);
	p = put_run(p, f->attributes.p, f->attributes.n);
	p = put_run(p, f->outcome[o].p, f->outcome[o].n);
	*p++ = 0x85; /* flags: sampled; context_has_is_remote, context_is_remote */
	*p++ = 0x01;
	uint32_t flags = s->remote ? 0x301 : 0x101;
	p = put_run(p, &flags, 4);
	w->n = (size_t)(p - w->p);
}

/* ---- metrics ---- */

void shop_histogram_add(struct shop_histogram *h, double seconds) {
	int i = 0;
	while (i < SHOP_BOUNDS && seconds > shop_bounds[i]) i++;
	h->bucket[i]++;
	h->min = h->count && h->min < seconds ? h->min : seconds;
	h->max = h->count && h->max > seconds ? h->max : seconds;
	h->count++;
	h->sum += seconds;
}

void shop_put_histogram(struct sim_wire *w, const struct shop_histogram *h, int64_t start_ns, int64_t at_ns,
                        const struct sim_wire *attributes) {
	sw_begin(w, 1, 6 * 9 + sw_blob_size(sizeof h->bucket) + sw_blob_size(sizeof shop_bounds) + attributes->n);
	sw_fixed64(w, 2, (uint64_t)start_ns);
	sw_fixed64(w, 3, (uint64_t)at_ns);
	sw_fixed64(w, 4, h->count);
	sw_double(w, 5, h->sum);
	sw_blob(w, 6, h->bucket, sizeof h->bucket);
	sw_blob(w, 7, shop_bounds, sizeof shop_bounds);
	sw_bytes(w, attributes->p, attributes->n);
	sw_double(w, 11, h->min);
	sw_double(w, 12, h->max);
}

void shop_put_number(struct sim_wire *w, double v, bool integer, int64_t start_ns, int64_t at_ns,
                     const struct sim_wire *attributes) {
	sw_begin(w, 1, (start_ns ? 27 : 18) + attributes->n);
	if (start_ns) sw_fixed64(w, 2, (uint64_t)start_ns);
	sw_fixed64(w, 3, (uint64_t)at_ns);
	if (integer)
		sw_fixed64(w, 6, (uint64_t)(int64_t)v);
	else
		sw_double(w, 4, v);
	sw_bytes(w, attributes->p, attributes->n);
}

void shop_put_metric(struct sim_wire *w, const char *name, const char *unit, enum shop_metric kind,
                     const struct sim_wire *points) {
	size_t data = points->n + (kind == SHOP_GAUGE ? 0 : kind == SHOP_SUM ? 4 : 2);
	sw_begin(w, 2, sw_blob_size(strlen(name)) + sw_blob_size(strlen(unit)) + sw_blob_size(data));
	sw_str(w, 1, name);
	sw_str(w, 3, unit);
	sw_begin(w, kind == SHOP_UPDOWN ? SHOP_SUM : (uint32_t)kind, data);
	sw_bytes(w, points->p, points->n);
	if (kind != SHOP_GAUGE) sw_uint(w, 2, 2); /* cumulative */
	if (kind == SHOP_SUM) sw_uint(w, 3, 1);
}

/* ---- logs ---- */

void shop_put_log(struct sim_wire *w, const struct shop_log *l) {
	struct sim_wire record = { 0 }, body = { 0 };
	unsigned char id[16];
	sw_fixed64(&record, 1, (uint64_t)l->at_ns);
	sw_uint(&record, 2, (uint64_t)l->severity);
	sw_str(&record, 3, l->severity >= 17 ? "ERROR" : l->severity >= 13 ? "WARN" : "INFO");
	sw_str(&body, 1, l->text);
	sw_message(&record, 5, &body);
	if (l->span) {
		sw_fixed32(&record, 8, 1);
		put_id(put_id(id, l->trace_hi), l->trace_lo);
		sw_blob(&record, 9, id, 16);
		put_id(id, l->span);
		sw_blob(&record, 10, id, 8);
	}
	sw_fixed64(&record, 11, (uint64_t)l->at_ns);
	sw_message(w, 2, &record);
	sw_done(&record);
	sw_done(&body);
}

/* ---- requests ---- */

/* Request{1: Resource...{resource=1, scope...=2{scope=1{name=1,version=2}, elements=2}}} */
void shop_put_request(struct sim_wire *w, const struct sim_wire *resource, const char *scope,
                      const struct sim_wire *elements) {
	size_t of_scope = sw_blob_size(strlen(scope)), scoped = sw_blob_size(of_scope) + elements->n;
	sw_begin(w, 1, sw_blob_size(resource->n) + sw_blob_size(scoped));
	sw_message(w, 1, resource);
	sw_begin(w, 2, scoped);
	sw_begin(w, 1, of_scope);
	sw_str(w, 1, scope);
	sw_bytes(w, elements->p, elements->n);
}
