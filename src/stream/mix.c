#include "stream/mix.h"

#include <math.h>

#define LATELY_MIN  50.0   /* requests: a share of fewer is taken as one of so many */
#define USUAL_S     5200.0 /* mean memory of what is usual: a half of it is gone after an hour */
#define QUICK_S     60.0   /* while most is strange */
#define MOST        0.5    /* strange: from there on quickly ... */
#define FEW         0.05   /* ... until it is no more than this */
#define AGE_EVERY_S 0.5
#define CREDIT_MIN  0.1
#define SLACK       1.5 /* times its usual share, before an operation counts for less */

static struct operation *find(struct mix *m, uint64_t name) {
	struct operation *rarest = NULL;
	for (uint32_t i = 0; i < m->count; i++) {
		struct operation *o = &m->operations[i];
		if (o->name == name) return o;
		if (!rarest || o->usual < rarest->usual) rarest = o;
	}
	if (m->count < MIX_OPERATIONS) {
		m->operations[m->count] = (struct operation){ .name = name };
		return &m->operations[m->count++];
	}
	rarest->name = name;
	return rarest;
}

static void age(struct mix *m, double lately_s, int64_t now_ns) {
	double seconds = (double)(now_ns - m->aged_ns) / 1e9;
	if (m->aged_ns && seconds < AGE_EVERY_S) return;
	m->hurries = (double)m->strange > (m->hurries ? FEW : MOST);
	double usual_s = m->hurries ? QUICK_S : USUAL_S;
	float usual = m->aged_ns ? (float)exp(-seconds / usual_s) : 1, lately = (float)exp(-seconds / lately_s);
	m->usual *= usual, m->lately *= lately;
	for (uint32_t i = 0; i < m->count; i++) m->operations[i].usual *= usual, m->operations[i].lately *= lately;
	m->aged_ns = now_ns;
}

/* What is strange becomes usual, but more slowly than it comes: a job of half an hour does not. */
static void learn(struct mix *m, struct operation *o, double n, double weight) {
	double credit = m->hurries ? n : n * fmax(weight, CREDIT_MIN);
	o->usual += (float)credit, m->usual += (float)credit;
}

double mix_weigh(struct mix *m, uint64_t name, double n, double lately_s, int64_t now_ns) {
	if (!(n > 0)) return 1;
	struct operation *o = find(m, name);
	age(m, lately_s, now_ns);
	o->lately += (float)n, m->lately += (float)n;
	double many = fmax((double)m->lately, LATELY_MIN), lately = (double)o->lately / many;
	double usual =
		((double)o->usual + n) / ((double)m->usual + n); /* as if it were learned whole: a first one is too */
	double weight = fmin(SLACK * usual / lately, 1);
	m->strange += (float)(fmin(n / many, 1) * (1 - weight - (double)m->strange));
	learn(m, o, n, weight);
	return weight;
}

void mix_save(const struct mix *m, struct enc *out) {
	enc_u32(out, m->count);
	for (uint32_t i = 0; i < m->count; i++) {
		enc_u64(out, m->operations[i].name);
		enc_f32(out, m->operations[i].usual), enc_f32(out, m->operations[i].lately);
	}
	enc_f32(out, m->usual), enc_f32(out, m->lately), enc_f32(out, m->strange);
	enc_i64(out, m->aged_ns);
	enc_u8(out, m->hurries);
}

static float sum_of(struct dec *in) {
	float x = dec_f32(in);
	return x >= 0 && x < 1e12f ? x : 0;
}

void mix_load(struct mix *m, struct dec *in) {
	*m = (struct mix){ 0 };
	for (uint32_t n = dec_u32(in); n > 0 && !in->err; n--) {
		struct operation o = { .name = dec_u64(in) };
		o.usual = sum_of(in), o.lately = sum_of(in);
		if (m->count < MIX_OPERATIONS) m->operations[m->count++] = o;
	}
	m->usual = sum_of(in), m->lately = sum_of(in);
	m->strange = fminf(sum_of(in), 1);
	m->aged_ns = dec_i64(in);
	m->hurries = dec_u8(in) != 0;
}
