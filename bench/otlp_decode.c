/* OTLP metrics: from a request's bytes to a batch with every series' identity, beside what Google's
 * protobuf for C++ needs to parse the same bytes into messages on an arena (and no more than parse).
 *
 * Both run in turn in this process, ROUNDS times each for SPELL; printed are the medians and the ratio.
 * Before that, both are asked what they saw, and must agree. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/otlp_peer.h"
#include "ingest/otlp.h"
#include "ingest/test_request.h"

#define ROUNDS 9
#define SPELL  0.25 /* seconds of this process's time, so that neighbours on the machine count less */

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what) {
	fprintf(stderr, "otlp_decode: %s\n", what);
	exit(1);
}

struct ours {
	struct otlp *otlp;
	struct pack *pack;
	struct packed *batches;
	size_t count;
};

static int64_t decode(struct ours *o, struct str body) {
	struct otlp_result result;
	struct why why;
	struct wall received = { 1 };
	if (otlp_decode(o->otlp, OTLP_METRICS, body, received, o->pack, &result, &why)) die(why.text);
	if (pack_end(o->pack, &o->batches, &o->count)) die("no memory");
	return result.accepted;
}

/* What stands in the batches. */
static void look(struct ours *o, struct str body, struct otlp_seen *out) {
	static struct batch_reader r;
	static struct batch_series series[BATCH_BYTES_MAX / 32];
	struct batch_record got;
	memset(out, 0, sizeof *out);
	decode(o, body);
	for (size_t i = 0; i < o->count; i++) {
		if (batch_open(&r, buf_get(&o->batches[i].bytes), NULL)) die("a batch that does not read");
		while (batch_next(&r, &got) == OK) {
			if (got.type == BATCH_SERIES) {
				struct batch_series *s = &series[got.series.index];
				*s = got.series;
				s->attrs.v = NULL;
				s->name.n += s->unit.n;
				for (size_t k = 0; k < got.series.attrs.n; k++) {
					const struct attr *a = &got.series.attrs.v[k];
					if (str_starts(a->key, STR("otel.scope."))) {
						s->attrs.n--; /* ours, not of the point */
					} else {
						s->name.n += a->key.n + a->value.n;
					}
				}
			} else if (got.type == BATCH_POINT) {
				out->points++;
				out->values += got.point.value;
				out->attributes += (int64_t)series[got.point.series].attrs.n;
				out->text_bytes += series[got.point.series].name.n;
			}
		}
	}
}

static int by_value(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *v, size_t n) {
	qsort(v, n, sizeof *v, by_value);
	return v[n / 2];
}

static void agree(struct ours *o, struct str body) {
	struct otlp_seen a, b;
	look(o, body, &a);
	if (otlp_peer_look(body.p, body.n, &b)) die("the peer calls it malformed");
	bool same = a.points == b.points && a.attributes == b.attributes && a.text_bytes == b.text_bytes;
	if (!same || fabs(a.values - b.values) > 1e-6 * fabs(a.values)) {
		fprintf(stderr, "ours %lld points %lld attributes %llu bytes %g; peer %lld %lld %llu %g\n", (long long)a.points,
		        (long long)a.attributes, (unsigned long long)a.text_bytes, a.values, (long long)b.points,
		        (long long)b.attributes, (unsigned long long)b.text_bytes, b.values);
		die("the two do not agree on what stands there");
	}
}

static double rate_of_ours(struct ours *o, struct str body) {
	double begin = now(), end;
	int64_t points = 0;
	do points += decode(o, body);
	while ((end = now()) < begin + SPELL);
	return (double)points / (end - begin);
}

static double rate_of_peer(struct str body) {
	double begin = now(), end;
	int64_t points = 0;
	do points += otlp_peer_parse(body.p, body.n);
	while ((end = now()) < begin + SPELL);
	return (double)points / (end - begin);
}

static void run(struct ours *o, int points) {
	double ours[ROUNDS], peer[ROUNDS], ratio[ROUNDS];
	struct request_out *out = calloc(1, sizeof *out);
	if (!out) die("no memory");
	request_init(out);
	request_metrics_sample(out, points);
	struct str body = request_bytes(out);
	agree(o, body);
	for (int i = 0; i < ROUNDS; i++) {
		ours[i] = rate_of_ours(o, body);
		peer[i] = rate_of_peer(body);
		ratio[i] = ours[i] / peer[i];
	}
	double a = median(ours, ROUNDS), b = median(peer, ROUNDS);
	printf("%6d points %8zu bytes  ours %6.2f M points/s %6.0f MB/s  protobuf C++ arena %6.2f M points/s %6.0f MB/s  "
	       "ratio %.1f (%.1f to %.1f)\n",
	       points, body.n, a / 1e6, a / points * (double)body.n / 1e6, b / 1e6, b / points * (double)body.n / 1e6,
	       median(ratio, ROUNDS), ratio[0], ratio[ROUNDS - 1]);
	request_done(out);
	free(out);
}

/* For a profiler: ours alone, a million points. */
static void ours_alone(struct ours *o, int points) {
	struct request_out *out = calloc(1, sizeof *out);
	if (!out) die("no memory");
	request_init(out);
	request_metrics_sample(out, points);
	for (int i = 0; i < 1000000 / points; i++) decode(o, request_bytes(out));
	request_done(out);
	free(out);
}

int main(int argc, char **argv) {
	struct ours o = { 0 };
	struct otlp_opts opts = { .batch_bytes_max = (size_t)1 << 28 };
	if (otlp_new(opts, &o.otlp) || pack_new(&o.pack)) die("no memory");
	if (argc >= 2 && strcmp(argv[1], "ours") == 0) {
		ours_alone(&o, argc > 2 && atoi(argv[2]) > 0 ? atoi(argv[2]) : 1000);
		return 0;
	}
	printf("OTLP metrics, 4 string attributes a point; ours: bytes to batch with identities, peer: parse alone\n");
	run(&o, 20);
	run(&o, 1000);
	run(&o, 10000);
	pack_free(o.pack);
	otlp_free(o.otlp);
	return 0;
}
