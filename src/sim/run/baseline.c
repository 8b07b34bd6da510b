#include "sim/run/baseline.h"

#include <math.h>

#include "base/clock.h"
#include "sim/memory.h"
#include "sim/run/figures.h"

#define SEEN_MIN 30

struct series {
	char *service, *signal;
	bool low;
	int64_t interval_ns;
	double part, whole; /* since the last look */
	double value;       /* NaN: none stands */
	bool fresh;
	int64_t stands_ns; /* how long the value has stood without news */
	double *seen;      /* while learning */
	size_t seen_count, seen_cap;
	double threshold; /* NaN: none */
	int breaches;
};

struct baseline {
	int64_t period_ns;
	bool learning;
	struct series series[BASELINE_SERIES_MAX];
	size_t count;
};

struct baseline *baseline_new(int64_t period_ns) {
	struct baseline *b = must_alloc(sizeof *b);
	b->period_ns = period_ns;
	b->learning = true;
	return b;
}

void baseline_free(struct baseline *b) {
	if (!b) return;
	for (size_t i = 0; i < b->count; i++) {
		free(b->series[i].service);
		free(b->series[i].signal);
		free(b->series[i].seen);
	}
	free(b);
}

int baseline_series(struct baseline *b, struct str service, const char *signal, bool low, int64_t interval_ns) {
	for (size_t i = 0; i < b->count; i++) {
		struct series *s = &b->series[i];
		if (!str_is(service, s->service) || strcmp(s->signal, signal) != 0) continue;
		s->interval_ns = interval_ns;
		return (int)i;
	}
	if (b->count == BASELINE_SERIES_MAX) return -1;
	b->series[b->count] = (struct series){ .service = must_copy(service.p, service.n),
		                                   .signal = must_copy(signal, strlen(signal)),
		                                   .low = low,
		                                   .interval_ns = interval_ns,
		                                   .value = NAN,
		                                   .threshold = NAN };
	return (int)b->count++;
}

void baseline_ratio(struct baseline *b, int series, double part, double whole) {
	if (series < 0) return;
	struct series *s = &b->series[series];
	s->part += part;
	s->whole += whole;
	s->fresh = true;
}

void baseline_level(struct baseline *b, int series, double value) {
	if (series < 0) return;
	b->series[series].value = value;
	b->series[series].fresh = true;
}

/* The value that the look finds; NaN: no data. */
static double settle(struct series *s, int64_t period_ns) {
	if (s->fresh) {
		if (s->whole > 0) s->value = s->part / s->whole;
		s->part = s->whole = 0;
		s->stands_ns = 0;
		s->fresh = false;
	} else {
		s->stands_ns += period_ns;
		if (s->stands_ns > 2 * s->interval_ns && s->stands_ns > period_ns) s->value = NAN;
	}
	return s->value;
}

static void remember(struct series *s, double value) {
	if (s->seen_count == s->seen_cap) {
		s->seen_cap = s->seen_cap ? s->seen_cap * 2 : 256;
		s->seen = must_grow(s->seen, s->seen_cap, sizeof *s->seen);
	}
	s->seen[s->seen_count++] = value;
}

size_t baseline_look(struct baseline *b, struct baseline_alarm *out, size_t max) {
	size_t raised = 0;
	for (size_t i = 0; i < b->count; i++) {
		struct series *s = &b->series[i];
		double value = settle(s, b->period_ns);
		if (b->learning) {
			if (!isnan(value)) remember(s, value);
			continue;
		}
		bool breach = s->low ? value < s->threshold : value > s->threshold; /* false with either NaN */
		s->breaches = breach ? s->breaches + 1 : 0;
		if (s->breaches == BASELINE_BREACHES && raised < max)
			out[raised++] = (struct baseline_alarm){ s->service, s->signal, value, s->threshold };
	}
	return raised;
}

void baseline_learned(struct baseline *b) {
	b->learning = false;
	for (size_t i = 0; i < b->count; i++) {
		struct series *s = &b->series[i];
		if (s->seen_count >= SEEN_MIN) s->threshold = figures_quantile(s->seen, s->seen_count, s->low ? 0.001 : 0.999);
		free(s->seen);
		s->seen = NULL;
		s->seen_count = s->seen_cap = 0;
	}
}

void baseline_save(const struct baseline *b, struct enc *e) {
	enc_u32(e, (uint32_t)b->count);
	for (size_t i = 0; i < b->count; i++) {
		const struct series *s = &b->series[i];
		enc_str(e, str_of(s->service));
		enc_str(e, str_of(s->signal));
		enc_u8(e, s->low);
		enc_i64(e, s->interval_ns);
		enc_f64(e, s->threshold);
	}
}

enum err baseline_load(struct baseline *b, struct dec *d) {
	uint32_t count = dec_u32(d);
	for (uint32_t i = 0; i < count && !d->err; i++) {
		struct str service = dec_str(d), signal = dec_str(d);
		char name[64] = "";
		bool low = dec_u8(d);
		int64_t interval_ns = dec_i64(d);
		double threshold = dec_f64(d);
		if (d->err || !signal.n || signal.n >= sizeof name) return ERR_CORRUPT;
		memcpy(name, signal.p, signal.n);
		int n = baseline_series(b, service, name, low, interval_ns);
		if (n < 0) return ERR_CORRUPT;
		b->series[n].threshold = threshold;
	}
	b->learning = false;
	return d->err;
}
