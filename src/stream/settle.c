#include "stream/settle.h"

#include <math.h>
#include <string.h>

#define START_JITTER_NS NS_PER_SEC

static void remember(struct settle *s, int64_t at_ns) {
	int i = 0;
	while (i < SETTLE_TIMES && s->at_ns[i] > at_ns) i++;
	if (i == SETTLE_TIMES) return;
	memmove(&s->at_ns[i + 1], &s->at_ns[i], (size_t)(SETTLE_TIMES - 1 - i) * sizeof s->at_ns[0]);
	s->at_ns[i] = at_ns;
}

static bool seen(const struct settle *s, int64_t at_ns) {
	for (int i = 0; i < SETTLE_TIMES; i++)
		if (s->at_ns[i] == at_ns) return true;
	return false;
}

/* Older than all that is remembered: it cannot be told from a duplicate. */
static bool forgotten(const struct settle *s, int64_t at_ns) {
	return s->at_ns[SETTLE_TIMES - 1] && at_ns < s->at_ns[SETTLE_TIMES - 1];
}

static struct settled delta_span(struct settle *s, struct wall start, struct wall at) {
	if (seen(s, at.ns)) return (struct settled){ .result = SETTLE_DUPLICATE };
	if (forgotten(s, at.ns)) return (struct settled){ .result = SETTLE_OLD };
	struct settled out = { .result = SETTLE_INCREMENT, .to = at, .from = start };
	if (!start.ns || start.ns > at.ns) out.from.ns = at.ns > s->at_ns[0] && s->at_ns[0] ? s->at_ns[0] : at.ns;
	remember(s, at.ns);
	return out;
}

static struct settled first_cumulative(struct wall start, struct wall at) {
	bool recent = start.ns && start.ns < at.ns && at.ns - start.ns <= SETTLE_RECENT_NS;
	if (!recent) return (struct settled){ .result = SETTLE_FIRST };
	return (struct settled){ .result = SETTLE_INCREMENT, .from = start, .to = at, .reset = true };
}

/* A later start that lies before the newest point contradicts it: some senders' starts jitter. Then
 * only a fall tells. */
static bool restarted(const struct settle *s, struct wall start) {
	return start.ns && s->start_ns && start.ns > s->start_ns && start.ns >= s->at_ns[0] - START_JITTER_NS;
}

struct settled settle_span(struct settle *s, bool cumulative, struct wall start, struct wall at, bool fell) {
	if (!cumulative) return delta_span(s, start, at);
	int64_t last_ns = s->at_ns[0];
	if (at.ns == last_ns) return (struct settled){ .result = SETTLE_DUPLICATE };
	if (at.ns < last_ns) return (struct settled){ .result = SETTLE_OLD };

	struct settled out = { .result = SETTLE_INCREMENT, .from.ns = last_ns, .to = at };
	if (!last_ns) {
		out = first_cumulative(start, at);
	} else {
		out.reset = fell || restarted(s, start);
		if (out.reset && start.ns > last_ns && start.ns < at.ns) out.from = start;
	}
	s->start_ns = start.ns;
	remember(s, at.ns);
	return out;
}

static struct settled settle_level(struct settle *s, struct wall at, double value) {
	if (at.ns == s->at_ns[0]) return (struct settled){ .result = SETTLE_DUPLICATE };
	if (at.ns < s->at_ns[0]) return (struct settled){ .result = SETTLE_OLD };
	remember(s, at.ns);
	return (struct settled){ .result = SETTLE_LEVEL, .from = at, .to = at, .value = value };
}

struct settled settle_number(struct settle *s, enum series_kind kind, struct wall start, struct wall at, double value) {
	if (!isfinite(value)) return (struct settled){ .result = SETTLE_BAD };
	if (kind == SERIES_GAUGE || kind == SERIES_UPDOWN) return settle_level(s, at, value);
	if (value < 0) return (struct settled){ .result = SETTLE_BAD };

	bool cumulative = kind == SERIES_CUMULATIVE;
	struct settled out = settle_span(s, cumulative, start, at, value < s->value);
	out.value = cumulative && !out.reset ? value - s->value : value;
	if (cumulative && (out.result == SETTLE_INCREMENT || out.result == SETTLE_FIRST)) s->value = value;
	return out;
}

static bool any_fell(const uint64_t *before, const uint64_t *now, uint32_t n) {
	for (uint32_t i = 0; i < n; i++)
		if (now[i] < before[i]) return true;
	return false;
}

struct settled settle_histogram(struct settle *s, bool cumulative, struct wall start, struct wall at, uint64_t *before,
                                uint64_t *now, uint32_t n, double *sum) {
	struct settled out = settle_span(s, cumulative, start, at, cumulative && any_fell(before, now, n));
	if (!cumulative || (out.result != SETTLE_INCREMENT && out.result != SETTLE_FIRST)) return out;

	double sum_now = *sum;
	if (!out.reset) *sum -= s->value;
	s->value = sum_now;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t count = now[i];
		if (!out.reset) now[i] = count - before[i];
		before[i] = count;
	}
	return out;
}
