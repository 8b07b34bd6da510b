#include "observe/anomaly/evidence.h"

#include <math.h>
#include <string.h>

#define PEAK_MIN        1.0  /* nats; lower excursions are not counted */
#define THETA_MIN       0.12 /* however badly the model fits, decide in the end */
#define THETA_MAX       1.3
#define QUIET_HALF_S    (4.0 * 86400)
#define QUIET_PRIOR_S   3600.0 /* over which the prior's excursions are spread, a rate of one in a few minutes */
#define SLOT_NUMBER_MAX (INT64_C(1) << 60) /* far beyond any time; what is saved is not believed */
#define AGE_STEP_S      60.0
#define HIGHEST_ROOM    1.15
#define SUM_MAX         4.0 /* boundaries: so that the way back is not endless */

static struct evidence_slot *slot_of(struct evidence *e, int64_t number) {
	if (number <= e->newest - EVIDENCE_SLOTS) return NULL;
	if (number - e->newest >= EVIDENCE_SLOTS) {
		memset(e->slots, 0, sizeof e->slots);
		e->newest = number;
	}
	for (; e->newest < number; e->newest++) memset(&e->slots[(e->newest + 1) % EVIDENCE_SLOTS], 0, sizeof e->slots[0]);
	return &e->slots[number % EVIDENCE_SLOTS];
}

/* Spread over the slots that the increment covers; an increment of one instant lies in one. */
static void slots_feed(struct evidence *e, const struct evidence_opts *o, const struct increment *i) {
	int64_t first = i->from_ns / o->slot_ns, last = i->to_ns / o->slot_ns;
	if (last - first >= EVIDENCE_SLOTS) first = last - EVIDENCE_SLOTS + 1;
	double share = 1.0 / (double)(last - first + 1);
	for (int64_t k = first; k <= last; k++) {
		struct evidence_slot *s = slot_of(e, k);
		if (!s) continue;
		s->seen += (float)(share * i->seen);
		for (int a = 0; a < ALTERNATIVES; a++) s->llr[a] += (float)(share * i->llr[a]);
	}
}

/* ---- what chance does ---- */

static double theta(const struct cusum *c) {
	double t = (EVIDENCE_PRIOR + c->excursions) / (EVIDENCE_PRIOR + c->excess);
	return fmin(fmax(t, THETA_MIN), THETA_MAX);
}

double evidence_boundary(const struct evidence *e, const struct evidence_opts *o, int which) {
	if (e->boundaries[which] > 0) return e->boundaries[which];
	const struct cusum *c = &e->cusums[which];
	double rate = (EVIDENCE_PRIOR + c->excursions) / (QUIET_PRIOR_S + e->quiet_s);
	double h = PEAK_MIN + log(fmax(rate * o->budget_s * ALTERNATIVES, 10)) / theta(c);
	return fmax(h, HIGHEST_ROOM * c->highest);
}

static void boundaries_keep(struct evidence *e, const struct evidence_opts *o) {
	for (int a = 0; a < ALTERNATIVES; a++) {
		e->boundaries[a] = 0;
		e->boundaries[a] = evidence_boundary(e, o, a);
	}
}

static void excursion_end(struct cusum *c, bool learn) {
	if (learn && c->peak > PEAK_MIN) {
		c->excursions++;
		c->excess += c->peak - PEAK_MIN;
		if (c->peak > c->highest) c->highest = c->peak;
	}
	c->sum = c->peak = 0;
	c->since_ns = c->delivered_ns = 0;
}

/* Time ages in steps: what was learned of chance changes slowly. */
static void quiet_pass(struct evidence *e, const struct evidence_opts *o, int64_t received_ns) {
	double seconds = e->last_ns && received_ns > e->last_ns ? (double)(received_ns - e->last_ns) / 1e9 : 0;
	if (seconds < 600) e->fresh_s += seconds; /* else: nothing was watched */
	if (e->fresh_s < AGE_STEP_S) return;
	double keep = exp2(-e->fresh_s / QUIET_HALF_S);
	e->quiet_s = e->quiet_s * keep + e->fresh_s;
	e->fresh_s = 0;
	for (int a = 0; a < ALTERNATIVES; a++) {
		struct cusum *c = &e->cusums[a];
		c->excursions *= keep, c->excess *= keep, c->highest *= keep;
	}
	boundaries_keep(e, o);
}

/* ---- the test ---- */

static void cusum_feed(struct cusum *c, double llr, double boundary, const struct increment *i, bool learn) {
	if (llr > EVIDENCE_ONE * boundary) llr = EVIDENCE_ONE * boundary;
	if (c->sum <= 0) {
		if (llr <= 0) return;
		c->since_ns = i->from_ns;
		c->delivered_ns = i->received_ns;
	}
	c->sum = fmin(c->sum + llr, SUM_MAX * boundary);
	if (c->sum > c->peak) c->peak = c->sum;
	if (c->sum <= 0) excursion_end(c, learn && c->peak < boundary);
}

void evidence_feed(struct evidence *e, const struct evidence_opts *o, const struct increment *i, bool learn) {
	if (!(e->boundaries[0] > 0)) boundaries_keep(e, o);
	if (learn) quiet_pass(e, o, i->received_ns);
	if (i->received_ns > e->last_ns) e->last_ns = i->received_ns;
	slots_feed(e, o, i);
	for (int a = 0; a < ALTERNATIVES; a++) cusum_feed(&e->cusums[a], i->llr[a], evidence_boundary(e, o, a), i, learn);
}

double evidence_score(const struct evidence *e, const struct evidence_opts *o, int *which) {
	double best = 0;
	if (which) *which = 0;
	for (int a = 0; a < ALTERNATIVES; a++) {
		double score = e->cusums[a].sum / evidence_boundary(e, o, a);
		if (score <= best) continue;
		best = score;
		if (which) *which = a;
	}
	return best;
}

/* ---- looking back ---- */

static const struct evidence_slot *slot_at(const struct evidence *e, int64_t k) {
	return &e->slots[k % EVIDENCE_SLOTS];
}

/* The start with the greatest sum to its right; its standard deviation from the likelihood around
 * it: starts whose sum is within 2 nats of the best are as likely as not. */
int64_t evidence_onset(const struct evidence *e, const struct evidence_opts *o, int which, double *sd_s) {
	const struct cusum *c = &e->cusums[which];
	double sums[EVIDENCE_SLOTS] = { 0 }, sum = 0, best = 0;
	int64_t first = e->newest - EVIDENCE_SLOTS + 1, at = 0;
	if (sd_s) *sd_s = NAN;
	if (c->sum <= 0 || first < 0) return 0;
	for (int64_t k = e->newest; k >= first; k--) {
		sum += (double)slot_at(e, k)->llr[which];
		sums[k - first] = sum;
		if (sum > best) best = sum, at = k;
	}
	if (!at) return c->since_ns;
	double weight = 0, spread = 0;
	for (int64_t k = first; k <= e->newest; k++) {
		double w = exp(fmax(sums[k - first] - best, -30)) * (slot_at(e, k)->seen > 0);
		weight += w;
		spread += w * (double)(k - at) * (double)(k - at);
	}
	double slot_s = (double)o->slot_ns / 1e9;
	if (sd_s) *sd_s = slot_s * sqrt((weight > 0 ? spread / weight : 0) + 1.0 / 12);
	/* A change older than the ring is as old as the CUSUM says. */
	if (at == first && c->since_ns < at * o->slot_ns) return c->since_ns;
	return at * o->slot_ns;
}

/* A slot that speaks for the change counts only if the five around it do, too: one failure that would
 * have come anyhow does not put a signal out of band. */
int64_t evidence_last_bad(const struct evidence *e, const struct evidence_opts *o, int which, int64_t from_ns) {
	int64_t first = e->newest - EVIDENCE_SLOTS + 1, from = from_ns / o->slot_ns;
	if (first < 2) first = 2;
	for (int64_t k = e->newest; k >= first + 2 && k >= from; k--) {
		double around = 0;
		for (int64_t n = k - 2; n <= k + 2 && n <= e->newest; n++) around += (double)slot_at(e, n)->llr[which];
		if (slot_at(e, k)->llr[which] > 0 && around > 0) return (k + 1) * o->slot_ns;
	}
	return 0;
}

double evidence_since(const struct evidence *e, const struct evidence_opts *o, int which, int64_t from_ns) {
	double sum = 0;
	int64_t first = e->newest - EVIDENCE_SLOTS + 1, from = from_ns / o->slot_ns;
	for (int64_t k = from > first ? from : first; k <= e->newest && k >= 0; k++)
		sum += (double)slot_at(e, k)->llr[which];
	return sum;
}

int evidence_strongest(const struct evidence *e, const struct evidence_opts *o, int64_t from_ns) {
	int best = 0;
	for (int a = 1; a < ALTERNATIVES; a++)
		if (evidence_since(e, o, a, from_ns) > evidence_since(e, o, best, from_ns)) best = a;
	return best;
}

bool evidence_any(const struct evidence *e) {
	for (int a = 0; a < ALTERNATIVES; a++)
		if (e->cusums[a].sum > 0) return true;
	return false;
}

void evidence_clear(struct evidence *e) {
	for (int a = 0; a < ALTERNATIVES; a++) {
		struct cusum *c = &e->cusums[a];
		c->sum = c->peak = 0;
		c->since_ns = c->delivered_ns = 0;
	}
	memset(e->slots, 0, sizeof e->slots);
}

void evidence_save(const struct evidence *e, struct enc *out) {
	for (int a = 0; a < ALTERNATIVES; a++) {
		const struct cusum *c = &e->cusums[a];
		enc_f64(out, c->sum), enc_f64(out, c->peak);
		enc_i64(out, c->since_ns), enc_i64(out, c->delivered_ns);
		enc_f64(out, c->excursions), enc_f64(out, c->excess), enc_f64(out, c->highest);
	}
	enc_i64(out, e->newest), enc_f64(out, e->quiet_s), enc_f64(out, e->fresh_s), enc_i64(out, e->last_ns);
	for (int a = 0; a < ALTERNATIVES; a++) enc_f64(out, e->boundaries[a]);
	uint8_t used = 0;
	for (int k = 0; k < EVIDENCE_SLOTS; k++) used = (uint8_t)(used + (e->slots[k].seen > 0));
	enc_u8(out, used);
	for (int k = 0; k < EVIDENCE_SLOTS; k++) {
		if (!(e->slots[k].seen > 0)) continue;
		enc_u8(out, (uint8_t)k);
		enc_f32(out, e->slots[k].seen);
		enc_f32s(out, e->slots[k].llr, ALTERNATIVES);
	}
}

void evidence_load(struct evidence *e, struct dec *in) {
	*e = (struct evidence){ 0 };
	for (int a = 0; a < ALTERNATIVES; a++) {
		struct cusum *c = &e->cusums[a];
		c->sum = dec_f64(in), c->peak = dec_f64(in);
		c->since_ns = dec_i64(in), c->delivered_ns = dec_i64(in);
		c->excursions = dec_f64(in), c->excess = dec_f64(in), c->highest = dec_f64(in);
	}
	e->newest = dec_i64(in), e->quiet_s = dec_f64(in), e->fresh_s = dec_f64(in), e->last_ns = dec_i64(in);
	for (int a = 0; a < ALTERNATIVES; a++) e->boundaries[a] = dec_f64(in);
	if (e->newest < 0 || e->newest > SLOT_NUMBER_MAX) e->newest = 0, in->err = in->err ? in->err : ERR_CORRUPT;
	for (int n = dec_u8(in); n > 0; n--) {
		struct evidence_slot *s = &e->slots[dec_u8(in) % EVIDENCE_SLOTS];
		s->seen = dec_f32(in);
		for (int a = 0; a < ALTERNATIVES; a++) s->llr[a] = dec_f32(in);
	}
}
