/* What can break, how hard, and what mends it: the two tables, and drawing from them. */
#include <math.h>
#include <stdio.h>

#include "sim/shop/impl.h"

#define LARGE_FACTOR 3.0 /* what people notice: latency x3, errors +5 points */
#define LARGE_SHARE  0.05

/* Magnitudes: latency x1.3 to x20, errors +0.5 to +50 points, memory full within 30 min to 24 h. A share of statements
 * that keep their connection empties a pool of ten within seconds to minutes. A storm's magnitude is what the clients
 * would ask for, all their attempts counted, in units of what the service can do. */
const struct shop_fault_info shop_fault_infos[SHOP_FAULTS] = {
	[SHOP_LEAK] = { "memory-leak", "memory", 1800, 86400, "s until the limit" },
	[SHOP_CPU_HOG] = { "cpu-hog", "saturation", 1.3, 20, "times as slow" },
	[SHOP_SLOW_DATABASE] = { "slow-database", "dependency|latency|saturation", 1.3, 20, "times as slow" },
	[SHOP_ERROR_BURST] = { "error-burst", "errors", 0.005, 0.5, "of requests fail" },
	[SHOP_POOL_EXHAUSTED] = { "pool-exhausted", "saturation", 0.02, 1, "of statements keep their connection" },
	[SHOP_DEAD_POD] = { "dead-pod", "crash", 1, 1, "pod" },
	[SHOP_BAD_DEPLOYMENT] = { "bad-deployment", "deployment", 1.3, 20, "times as slow, or as many failures" },
	[SHOP_SLOW_LINK] = { "slow-link", "network", 1.3, 20, "times as long a call" },
	[SHOP_FULL_DISK] = { "full-disk", "disk", 1, 1, "disk" },
	[SHOP_RETRY_STORM] = { "retry-storm", "saturation", 1.3, 5, "times its capacity" },
};

/* What an action at the fault's target comes to. An undo replaces every pod too: it ends what lies in processes, and
 * takes back somebody's work that had nothing to do with it. So does one after a fault that is elsewhere: at the
 * callers of a database, at one end of a link. More pods are sound pods where the fault lies in those that are
 * there, and only more of the same where it lies in the image. A storm ends, or does not, with whatever gives its
 * service an empty queue for a moment: that helps, and nothing more is promised. */
static const enum shop_remedy remedies[SHOP_FAULTS][SHOP_ACTIONS] = {
	/*                         restart       delete pod    undo        scale */
	[SHOP_LEAK] = { SHOP_CURES, SHOP_HELPS, SHOP_HARMS, SHOP_HELPS },
	[SHOP_CPU_HOG] = { SHOP_CURES, SHOP_HELPS, SHOP_HARMS, SHOP_HELPS },
	[SHOP_SLOW_DATABASE] = { SHOP_NOTHING, SHOP_NOTHING, SHOP_HARMS, SHOP_NOTHING },
	[SHOP_ERROR_BURST] = { SHOP_CURES, SHOP_HELPS, SHOP_HARMS, SHOP_HELPS },
	[SHOP_POOL_EXHAUSTED] = { SHOP_CURES, SHOP_HELPS, SHOP_HARMS, SHOP_HELPS },
	[SHOP_DEAD_POD] = { SHOP_CURES, SHOP_CURES, SHOP_HARMS, SHOP_HELPS },
	[SHOP_BAD_DEPLOYMENT] = { SHOP_NOTHING, SHOP_NOTHING, SHOP_CURES, SHOP_NOTHING },
	[SHOP_SLOW_LINK] = { SHOP_NOTHING, SHOP_NOTHING, SHOP_HARMS, SHOP_NOTHING },
	[SHOP_FULL_DISK] = { SHOP_NOTHING, SHOP_NOTHING, SHOP_HARMS, SHOP_NOTHING },
	[SHOP_RETRY_STORM] = { SHOP_HELPS, SHOP_HELPS, SHOP_HARMS, SHOP_HELPS },
};

bool shop_fault_at_database(enum shop_fault_kind k) {
	return k == SHOP_SLOW_DATABASE || k == SHOP_FULL_DISK;
}

bool shop_in_processes(enum shop_fault_kind k) {
	return k == SHOP_LEAK || k == SHOP_CPU_HOG || k == SHOP_ERROR_BURST || k == SHOP_POOL_EXHAUSTED;
}

/* Is it the image that is bad? */
bool shop_in_image(const struct shop_fault *f) {
	return f->kind == SHOP_BAD_DEPLOYMENT || (f->deployed && shop_in_processes(f->kind));
}

const char *shop_fault_causes(const struct shop_fault *f) {
	return shop_fault_infos[shop_in_image(f) ? SHOP_BAD_DEPLOYMENT : f->kind].cause_kind;
}

enum shop_remedy shop_remedy_of(enum shop_fault_kind k, bool deployed, enum shop_action a) {
	return remedies[deployed && shop_in_processes(k) ? SHOP_BAD_DEPLOYMENT : k][a];
}

double shop_bad_share(double magnitude) {
	const struct shop_fault_info *slow = &shop_fault_infos[SHOP_BAD_DEPLOYMENT],
								 *bad = &shop_fault_infos[SHOP_ERROR_BURST];
	double rank = log(magnitude / slow->least) / log(slow->most / slow->least);
	return bad->least * pow(bad->most / bad->least, rank < 0 ? 0 : rank > 1 ? 1 : rank);
}

bool shop_fault_large(const struct shop_fault *f) {
	switch (f->kind) {
	case SHOP_CPU_HOG:
	case SHOP_SLOW_DATABASE:
	case SHOP_SLOW_LINK: return f->magnitude >= LARGE_FACTOR;
	case SHOP_ERROR_BURST: return f->magnitude >= LARGE_SHARE;
	case SHOP_BAD_DEPLOYMENT:
		return f->form & (SHOP_CRASHING | SHOP_UNREADY) || (f->form & SHOP_SLOWER && f->magnitude >= LARGE_FACTOR) ||
		       (f->form & SHOP_FAILING && shop_bad_share(f->magnitude) >= LARGE_SHARE);
	default: return true; /* a leak ends in kills, a pool that is empty in time-outs */
	}
}

/* ---- drawing ---- */

/* What the world says of a kind; NULL: it is as everywhere. */
static const struct shop_harm *harm_of(const struct shop *s, enum shop_fault_kind kind) {
	for (size_t i = 0; i < s->world->fault_count; i++)
		if (!strcmp(s->world->faults[i].kind, shop_fault_infos[kind].name)) return &s->world->faults[i];
	return NULL;
}

/* May it be at the service, or database, of that name? */
static bool allowed_at(const struct shop *s, enum shop_fault_kind kind, const char *name) {
	const struct shop_harm *h = harm_of(s, kind);
	if (!h || !h->at || !*h->at) return !h || h->possible;
	struct str head, tail;
	for (struct str rest = str_of(h->at); rest.n && h->possible; rest = tail) {
		(void)str_cut(rest, ',', &head, &tail);
		if (str_is(str_trim(head), name)) return true;
	}
	return false;
}

double shop_draw_magnitude(const struct shop *s, enum shop_fault_kind kind, struct rng *rng) {
	const struct shop_fault_info *info = &shop_fault_infos[kind];
	const struct shop_harm *h = harm_of(s, kind);
	double least = h && h->most > 0 ? h->least : info->least, most = h && h->most > 0 ? h->most : info->most;
	return most > least ? exp(rng_between(rng, log(least), log(most))) : least;
}

static unsigned draw_form(struct rng *rng) {
	static const unsigned forms[] = {
		SHOP_SLOWER,   SHOP_SLOWER,  SHOP_SLOWER, SHOP_FAILING, SHOP_FAILING, SHOP_FAILING, SHOP_SLOWER | SHOP_FAILING,
		SHOP_CRASHING, SHOP_UNREADY, SHOP_UNREADY
	};
	return forms[rng_below(rng, sizeof forms / sizeof *forms)];
}

/* How likely a fault of that kind is at this service; 0: it cannot be there. */
static double service_weight(const struct shop *s, uint32_t service, enum shop_fault_kind kind) {
	const struct shop_member *m = &s->members[service];
	if (!allowed_at(s, kind, m->spec->name)) return 0;
	if (kind == SHOP_DEAD_POD) return m->spec->replicas >= 2;
	if (kind == SHOP_POOL_EXHAUSTED) return m->pool_count > 0;
	if (kind == SHOP_RETRY_STORM) return shop_storm_weight(s, service);
	return 1;
}

static double database_weight(const struct shop *s, uint32_t db, enum shop_fault_kind kind) {
	double weight = 0;
	if (!allowed_at(s, kind, s->world->databases[db].name)) return 0;
	for (uint32_t i = 0; i < s->edge_count; i++)
		if (s->edges[i].database && s->edges[i].target == db && (kind != SHOP_FULL_DISK || s->edges[i].writes))
			weight = 1;
	return weight;
}

static int draw_target(const struct shop *s, enum shop_fault_kind kind, struct rng *rng) {
	bool database = shop_fault_at_database(kind);
	size_t count = database ? s->world->database_count : s->world->service_count;
	double sum = 0, weight;
	int last = -1;
	for (int turn = 0; turn < 2; turn++) {
		double at = turn ? rng_unit(rng) * sum : 0;
		for (uint32_t i = 0; i < count; i++) {
			weight = database ? database_weight(s, i, kind) : service_weight(s, i, kind);
			if (weight > 0) last = (int)i;
			if (!turn) sum += weight;
			if (turn && weight > 0 && (at -= weight) < 0) return (int)i;
		}
	}
	return last;
}

/* A link is a caller and whom it calls. */
static void draw_link(const struct shop *s, struct shop_fault *f, struct rng *rng) {
	uint32_t links = 0;
	f->source = f->target = -1;
	for (uint32_t i = 0; i < s->edge_count; i++) {
		const struct shop_edge *e = &s->edges[i];
		if (e->database || e->service == SHOP_NONE || e->queue) continue;
		if (!allowed_at(s, f->kind, s->members[s->points[e->target].service].spec->name)) continue;
		if (rng_below(rng, ++links)) continue;
		f->source = (int)e->service;
		f->target = (int)s->points[e->target].service;
	}
}

struct shop_fault shop_draw_fault(const struct shop *s, enum shop_fault_kind kind, struct rng *rng) {
	struct shop_fault f = { .kind = kind, .source = -1 };
	if (kind == SHOP_SLOW_LINK)
		draw_link(s, &f, rng);
	else
		f.target = draw_target(s, kind, rng);
	f.magnitude = shop_draw_magnitude(s, kind, rng);
	if (kind == SHOP_BAD_DEPLOYMENT) f.form = draw_form(rng);
	return f;
}

const char *shop_target_name(const struct shop *s, const struct shop_fault *f) {
	return shop_fault_at_database(f->kind) ? s->world->databases[f->target].name : s->world->services[f->target].name;
}
