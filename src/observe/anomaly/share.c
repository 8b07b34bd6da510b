#include "observe/anomaly/share.h"

#include <math.h>

#define ONSET_SCORE   0.4 /* below, no change is dated */
#define USUAL_HALF_S  (6.0 * 3600)
#define TURN_NS       (60 * NS_PER_SEC)
#define WINDOW_NS     (10 * NS_PER_SEC)
#define PRIOR_BAD     1.5 /* rather too many than too few: a share of nothing makes every failure news */
#define PRIOR_SEEN    600.0
#define LATELY_SEEN   40.0 /* requests that `lately` holds about */
#define LATELY_HALF_S 6.0
#define LATELY_MAX_S  180.0
#define READY_S       120.0
#define READY_SEEN    100.0
#define POINTS_MIN    0.005
#define RATIO_MIN     2.0
#define BAD_MIN       4.0
#define RULE_SHARE    0.2 /* until it is ready: a fifth fails, and ten did */
#define RULE_BAD      10.0
#define RHO_MAX       0.5

static const struct { double points, ratio; } alternatives[ALTERNATIVES] = { { 0.015, 2 }, { 0.06, 5 }, { 0.3, 20 } };

double share_usual(const struct share *s) {
	return (s->usual_bad + PRIOR_BAD) / (s->usual_seen + PRIOR_SEEN);
}

static bool ready(const struct share *s) {
	return s->usual_s >= READY_S && s->usual_seen >= READY_SEEN;
}

static double rho(const struct share *s) {
	return fmin(fmax(s->excess / (s->room + 1e-9), 0), RHO_MAX);
}

static double alternative(double usual, int which) {
	return fmin(fmax(usual + alternatives[which].points, usual * alternatives[which].ratio), 0.5 + usual / 2);
}

double share_turn(const struct share *s, int which) {
	double usual = share_usual(s), other = alternative(usual, which);
	double well = log((1 - usual) / (1 - other));
	return well / (well + log(other / usual));
}

/* The share that would be predicted for the next requests, had what came since the evidence began been chance. */
static double predicted(const struct share *s, double bad) {
	double few = fmax(bad - 1, 0) / 2; /* of the failures in hand, each after those before it */
	return (s->usual_bad + PRIOR_BAD + s->since_bad + few) / (s->usual_seen + PRIOR_SEEN + s->since_seen);
}

static void weigh(const struct share *s, double seen, double bad, double effect, struct increment *inc) {
	double usual = share_usual(s), now = predicted(s, bad);
	for (int a = 0; a < ALTERNATIVES; a++) {
		double other = alternative(usual, a), normal = fmin(now, other);
		inc->llr[a] = (bad * log(other / normal) + (seen - bad) * log((1 - other) / (1 - normal))) / effect;
	}
}

static void lately_age(struct share *s, int64_t at_ns) {
	if (at_ns <= s->lately_ns) return;
	double per_s = s->usual_seen / fmax(fmin(s->usual_s, USUAL_HALF_S / M_LN2), 1);
	double half_s = fmin(fmax(LATELY_SEEN * M_LN2 / fmax(per_s, 1e-6), LATELY_HALF_S), LATELY_MAX_S);
	double keep = exp2(-(double)(at_ns - s->lately_ns) / 1e9 / half_s);
	s->lately_bad *= keep;
	s->lately_seen *= keep;
	s->lately_ns = at_ns;
}

void share_feed(struct share *s, const struct evidence_opts *o, double seen, double bad, int64_t from_ns, int64_t to_ns,
                int64_t received_ns, enum mood mood) {
	struct increment inc = { .from_ns = from_ns, .to_ns = to_ns, .received_ns = received_ns, .seen = seen };
	lately_age(s, to_ns);
	s->lately_bad += bad, s->lately_seen += seen;
	s->fresh_bad += bad, s->fresh_seen += seen;
	s->window_bad += bad, s->window_seen += seen;
	if (!evidence_any(&s->evidence)) s->since_bad = s->since_seen = 0;
	if (ready(s) && seen > 0) {
		weigh(s, seen, bad, 1 + (fmax(seen, 1) - 1) * rho(s), &inc);
		evidence_feed(&s->evidence, o, &inc, mood != MOOD_TROUBLE);
	}
	s->since_bad += bad, s->since_seen += seen;
}

/* n windows of `seen` requests have the variance seen p (1 - p) (1 + (seen - 1) rho). */
static void window_learn(struct share *s) {
	double p = share_usual(s), n = s->window_seen, plain = n * p * (1 - p);
	double off = s->window_bad - n * p;
	double square = fmin(off * off, 36 * (plain + 0.25)); /* an outburst counts as six sigmas */
	double keep = 1 - 1 / 3000.0;
	if (n < 2) return;
	s->excess = s->excess * keep + square - plain;
	s->room = s->room * keep + (n - 1) * plain;
	if (s->excess < 0) s->excess = 0;
}

static void turn(struct share *s, int64_t at_ns, enum mood mood) {
	double seconds = s->turned_ns ? (double)(at_ns - s->turned_ns) / 1e9 : 0;
	if (mood == MOOD_QUIET && seconds < 600) {
		double keep = exp2(-seconds / USUAL_HALF_S);
		s->usual_bad = s->usual_bad * keep + s->held_bad;
		s->usual_seen = s->usual_seen * keep + s->held_seen;
		if (s->usual_seen > 0) s->usual_s += seconds;
	}
	double held = mood == MOOD_UNSETTLED, fresh = mood != MOOD_TROUBLE;
	s->held_bad = held * s->held_bad + fresh * s->fresh_bad;
	s->held_seen = held * s->held_seen + fresh * s->fresh_seen;
	s->fresh_bad = s->fresh_seen = 0;
	s->turned_ns = at_ns;
}

void share_pass(struct share *s, int64_t at_ns, enum mood mood) {
	if (at_ns - s->window_ns >= WINDOW_NS) {
		if (mood != MOOD_TROUBLE) window_learn(s);
		s->window_bad = s->window_seen = 0;
		s->window_ns = at_ns - at_ns % WINDOW_NS;
	}
	if (at_ns - s->turned_ns >= (ready(s) ? TURN_NS : TURN_NS / 4)) turn(s, at_ns, mood);
}

struct verdict share_judge(const struct share *s, const struct evidence_opts *o) {
	struct verdict v = { .value = NAN, .expected = NAN, .low = NAN, .high = NAN, .onset_sd_s = NAN, .ready = ready(s) };
	if (s->lately_seen > 0) v.value = s->lately_bad / s->lately_seen;
	if (!v.ready) {
		v.high = RULE_SHARE;
		if (s->lately_bad >= RULE_BAD) v.score = v.value / RULE_SHARE;
		v.onset_ns = v.delivered_ns = v.score >= 1 ? s->lately_ns : 0;
		return v;
	}
	double usual = share_usual(s);
	v.expected = usual;
	v.low = 0;
	v.high = fmin(fmax(usual + POINTS_MIN, usual * RATIO_MIN), 1);
	v.score = evidence_score(&s->evidence, o, &v.which);
	double since = s->since_seen > 0 ? s->since_bad / s->since_seen : 0;
	bool guarded = s->since_bad < BAD_MIN || since < usual + POINTS_MIN || since < usual * RATIO_MIN;
	if (guarded && v.score >= 1) v.score = 0.99;
	if (v.score < ONSET_SCORE) return v;
	v.onset_ns = evidence_onset(&s->evidence, o, v.which, &v.onset_sd_s);
	v.delivered_ns = s->evidence.cusums[v.which].delivered_ns;
	return v;
}

void share_adopt(struct share *s) {
	if (!(s->lately_seen > 0)) return;
	s->usual_bad = s->usual_seen * s->lately_bad / s->lately_seen;
	evidence_clear(&s->evidence);
}

/* In the order of the struct. */
#define FIELDS(X) \
	X(usual_bad)  \
	X(usual_seen) \
	X(fresh_bad)  \
	X(fresh_seen) \
	X(held_bad)   \
	X(held_seen)  \
	X(lately_bad) X(lately_seen) X(excess) X(room) X(window_bad) X(window_seen) X(since_bad) X(since_seen) X(usual_s)

void share_save(const struct share *s, struct enc *out) {
	evidence_save(&s->evidence, out);
#define X(f) enc_f64(out, s->f);
	FIELDS(X)
#undef X
	enc_i64(out, s->window_ns), enc_i64(out, s->turned_ns), enc_i64(out, s->lately_ns);
}

void share_load(struct share *s, struct dec *in) {
	*s = (struct share){ 0 };
	evidence_load(&s->evidence, in);
#define X(f) s->f = dec_f64(in);
	FIELDS(X)
#undef X
	s->window_ns = dec_i64(in), s->turned_ns = dec_i64(in), s->lately_ns = dec_i64(in);
}
