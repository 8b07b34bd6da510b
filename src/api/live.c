/* What the parts say of themselves now: probes, metrics, status, coverage, graph. */
#include <string.h>

#include "api/api_impl.h"
#include "api/status.h"

static bool part_ready(const struct api_part *p) {
	return !p->ready || p->ready(p->self);
}

static bool all_ready(const struct api *a) {
	for (size_t i = 0; i < a->o.part_count; i++)
		if (!part_ready(&a->o.parts[i])) return false;
	return true;
}

void start_healthz(struct api *a, struct slot *s) {
	answer(a, s, 200, "text/plain; charset=utf-8", STR("ok\n"));
}

void start_readyz(struct api *a, struct slot *s) {
	struct json_out o = json_out(&s->out);
	bool ready = all_ready(a);
	json_begin_object(&o);
	json_kv_bool(&o, "ready", ready);
	json_key(&o, "waiting_for");
	json_begin_array(&o);
	for (size_t i = 0; i < a->o.part_count; i++)
		if (!part_ready(&a->o.parts[i])) json_put_c(&o, a->o.parts[i].name);
	json_end_array(&o);
	json_end_object(&o);
	answer_json(a, s, ready ? 200 : 503, buf_get(&s->out));
}

void start_metrics(struct api *a, struct slot *s) {
	struct metrics_out m = metrics_out(&s->out);
	char label[96];
	metrics_family(&m, "flyball_build", "info", "The program.");
	metrics_value(&m, metrics_label(label, sizeof label, "version", str_of(a->o.version)), 1);
	metrics_family(&m, "flyball_part_ready", "gauge", "1 where the part is ready.");
	for (size_t i = 0; i < a->o.part_count; i++)
		metrics_value(&m, metrics_label(label, sizeof label, "part", str_of(a->o.parts[i].name)),
		              part_ready(&a->o.parts[i]));
	for (size_t i = 0; i < a->o.part_count; i++)
		if (a->o.parts[i].metrics) a->o.parts[i].metrics(a->o.parts[i].self, &m);
	api_metrics(a, &m);
	metrics_end(&m);
	if (s->out.err)
		answer_error(a, s, 500, "the metrics are too large");
	else
		answer(a, s, 200, "application/openmetrics-text; version=1.0.0; charset=utf-8", buf_get(&s->out));
}

/* ---- status ---- */

static void status_write(const struct api *a, struct buf *out) {
	struct json_out o = json_out(out);
	json_begin_object(&o);
	json_kv_c(&o, "version", a->o.version);
	json_kv_bool(&o, "ready", all_ready(a));
	json_key(&o, "parts");
	json_begin_object(&o);
	for (size_t i = 0; i < a->o.part_count; i++) {
		const struct api_part *p = &a->o.parts[i];
		json_key(&o, p->name);
		json_begin_object(&o);
		json_kv_bool(&o, "ready", part_ready(p));
		json_key(&o, "status");
		if (p->status)
			p->status(p->self, &o);
		else
			json_put_null(&o);
		json_end_object(&o);
	}
	json_end_object(&o);
	json_end_object(&o);
}

/* The parts' own objects, and the same in words as one member more. */
void start_status(struct api *a, struct slot *s) {
	CLEANUP(buf_done) struct buf facts;
	CLEANUP(buf_done) struct buf words;
	const struct json *v = NULL;
	buf_init(&facts, ANSWER_BYTES_MAX), buf_init(&words, 0);
	status_write(a, &facts);
	if (facts.err || json_parse(&s->arena, str_copy(&s->arena, buf_get(&facts)), &v, NULL)) {
		answer_error(a, s, 500, "a part's status cannot be told");
		return;
	}
	status_words(v, &words);
	struct json_out o = json_out(&s->out);
	json_begin_object(&o);
	json_each(m, v) {
		json_key_str(&o, m->key);
		json_put_value(&o, m);
	}
	json_kv_str(&o, "text", buf_get(&words));
	json_end_object(&o);
	answer_out(a, s);
}

/* ---- coverage and graph: the first part that knows ---- */

void start_coverage(struct api *a, struct slot *s) {
	struct json_out o = json_out(&s->out);
	for (size_t i = 0; i < a->o.part_count; i++) {
		if (!a->o.parts[i].coverage) continue;
		a->o.parts[i].coverage(a->o.parts[i].self, &o);
		answer_out(a, s);
		return;
	}
	answer_error(a, s, 404, "no part of this process watches services (its role is another)");
}

void start_graph(struct api *a, struct slot *s) {
	struct json_out o = json_out(&s->out);
	for (size_t i = 0; i < a->o.part_count; i++) {
		if (!a->o.parts[i].graph) continue;
		a->o.parts[i].graph(a->o.parts[i].self, &o);
		answer_out(a, s);
		return;
	}
	answer_error(a, s, 404, "no part of this process keeps a graph (its role is another)");
}
