/* The life of a fault: it begins, something has it, nothing has it any more; and what was seen of it. */
#include "sim/shop/fault.h"

#include <stdio.h>

#include "sim/shop/impl.h"

static uint32_t bit_of(const struct shop_fault *f) {
	return UINT32_C(1) << f->bit;
}

static bool acts(const struct shop_fault *f) {
	return f->begun && !f->over;
}

struct shop_fault *shop_fault_of_bit(struct shop *s, int bit) {
	return s->fault_bits[bit] ? &s->faults[s->fault_bits[bit] - 1] : NULL;
}

/* A bit that no fault at work has, the longest unused first: what still bears the mark of its last owner has
 * been sent by then. False: as many are at work as there are bits. */
static bool take_bit(struct shop *s, uint32_t index) {
	for (int n = 0; n < SHOP_FAULT_BITS; n++) {
		s->fault_bit = (s->fault_bit + 1) % SHOP_FAULT_BITS;
		struct shop_fault *owner = shop_fault_of_bit(s, s->fault_bit);
		if (owner && acts(owner)) continue;
		s->fault_bits[s->fault_bit] = index + 1;
		s->faults[index].bit = s->fault_bit;
		return true;
	}
	return false;
}

/* ---- it begins ---- */

static void on_service(struct shop *s, const struct shop_fault *f) {
	for (uint32_t i = 0; i < s->pod_count; i++)
		if (s->pods[i] && s->pods[i]->service == (uint32_t)f->target && s->pods[i]->state <= SHOP_UP)
			shop_harm_pod(s, i, s->pods[i]->has | bit_of(f));
}

static void on_one_pod(struct shop *s, struct shop_fault *f) {
	const struct shop_member *m = &s->members[f->target];
	if (!m->serving_count) return;
	uint32_t index = m->serving[rng_below(&s->fault_rng, m->serving_count)];
	snprintf(f->pod_uid, sizeof f->pod_uid, "%s", s->pods[index]->kube.uid);
	shop_harm_pod(s, index, s->pods[index]->has | bit_of(f));
	shop_pod_hang(s, index);
}

static void deploy_bad_image(struct shop *s, struct shop_fault *f) {
	struct shop_member *m = &s->members[f->target];
	char patch[400];
	snprintf(f->image, sizeof f->image, "registry.local/%s:1.%lld.0", m->spec->name, (long long)++m->revision);
	snprintf(patch, sizeof patch,
	         "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"%s\",\"image\":\"%s\"}]}}}}",
	         m->spec->name, f->image);
	enum err e = sim_kube_change(s->kube, KUBE_DEPLOYMENTS, s->world->namespace_, m->spec->deployment, "helm",
	                             str_of(patch), NULL);
	assert(!e);
}

static void tell_begin(struct shop *s, const struct shop_fault *f) {
	char from[80] = "";
	if (f->kind == SHOP_SLOW_LINK) snprintf(from, sizeof from, "%s > ", s->members[f->source].spec->name);
	sim_trace_tell(s->o.trace, "shop: fault %s on %s%s, %.3g %s%s", shop_fault_infos[f->kind].name, from,
	               shop_target_name(s, f), f->magnitude, shop_fault_infos[f->kind].unit,
	               f->deployed ? ", by a deployment" : "");
}

static void fault_begins(void *self, uint64_t arg) {
	struct shop *s = self;
	struct shop_fault *f = &s->faults[arg];
	if (!take_bit(s, (uint32_t)arg)) return; /* more at once than anybody can tell apart */
	f->begun = true;
	f->begun_ns = s->queue->now_ns;
	tell_begin(s, f);
	if (shop_in_image(f))
		deploy_bad_image(s, f);
	else if (shop_in_processes(f->kind))
		on_service(s, f);
	else if (f->kind == SHOP_DEAD_POD)
		on_one_pod(s, f);
	else
		f->carried = true;
	if (shop_fault_at_database(f->kind)) shop_harm_database(s, (uint32_t)f->target);
	if (f->kind == SHOP_SLOW_LINK) shop_harm_links(s);
	if (f->kind == SHOP_RETRY_STORM) shop_storm_begin(s, f);
	shop_fault_carriers(s);
}

const struct shop_fault *shop_plan_fault(struct shop *s, const struct shop_fault *f) {
	assert(s->fault_count < SHOP_FAULTS_MAX && f->target >= 0);
	s->faults[s->fault_count] = *f;
	sim_queue_at(s->queue, f->onset_ns, fault_begins, s, s->fault_count);
	return &s->faults[s->fault_count++];
}

/* ---- its end ---- */

static bool carries(const struct shop_pod *p, const struct shop_fault *f) {
	if (!p || p->service != (uint32_t)f->target || p->state == SHOP_GONE) return false;
	return shop_in_image(f) ? !strcmp(p->kube.image, f->image) : p->has & bit_of(f);
}

void shop_fault_is_over(struct shop *s, struct shop_fault *f) {
	f->over = true;
	f->over_ns = s->queue->now_ns;
	sim_trace_tell(s->o.trace, "shop: fault %s on %s is over", shop_fault_infos[f->kind].name, shop_target_name(s, f));
}

/* What lies in pods is over when the last one that had it has gone; what lies elsewhere, when somebody ends it. */
void shop_fault_carriers(struct shop *s) {
	for (uint32_t n = 0; n < s->fault_count; n++) {
		struct shop_fault *f = &s->faults[n];
		if (!acts(f) || !(shop_in_image(f) || shop_in_processes(f->kind) || f->kind == SHOP_DEAD_POD)) continue;
		bool carried = false;
		for (uint32_t i = 0; i < s->pod_count && !carried; i++) carried = carries(s->pods[i], f);
		if (f->carried && !carried) shop_fault_is_over(s, f);
		f->carried = f->carried || carried;
	}
}

void shop_end_fault(struct shop *s, const struct shop_fault *fault) {
	struct shop_fault *f = &s->faults[fault - s->faults];
	if (!acts(f)) return;
	shop_fault_is_over(s, f);
	for (uint32_t i = 0; i < s->pod_count; i++) {
		if (!s->pods[i] || !(s->pods[i]->has & bit_of(f))) continue;
		shop_harm_pod(s, i, s->pods[i]->has & ~bit_of(f));
		if (f->kind == SHOP_DEAD_POD) shop_pod_wake(s, i);
		if (f->form & SHOP_UNREADY) shop_pod_mended(s, i);
	}
	if (shop_fault_at_database(f->kind)) shop_harm_database(s, (uint32_t)f->target);
	if (f->kind == SHOP_SLOW_LINK) shop_harm_links(s);
	if (f->kind == SHOP_RETRY_STORM) shop_storm_end(s, f);
}

/* ---- processes that come ---- */

/* A leak lies in what the pod was given and survives its container; wrong state in memory does not. A bad image
 * is bad in every process that runs it. */
uint32_t shop_fault_kept(struct shop *s, const struct shop_pod *p) {
	uint32_t kept = 0;
	for (int bit = 0; bit < SHOP_FAULT_BITS; bit++) {
		const struct shop_fault *f = shop_fault_of_bit(s, bit);
		if (!f || !acts(f) || f->target != (int)p->service) continue;
		if (shop_in_image(f) ? !strcmp(f->image, p->kube.image) : f->kind == SHOP_LEAK && p->has >> bit & 1)
			kept |= UINT32_C(1) << bit;
	}
	return kept;
}

/* ---- what is seen ---- */

void shop_fault_touched(struct shop *s, uint32_t mask) {
	for (int bit = 0; mask >> bit; bit++) {
		struct shop_fault *f = mask >> bit & 1 ? shop_fault_of_bit(s, bit) : NULL;
		if (f && !f->touched_ns) f->touched_ns = s->queue->now_ns;
	}
}

void shop_fault_delivered(struct shop *s, uint32_t mask) {
	for (int bit = 0; mask >> bit; bit++) {
		struct shop_fault *f = mask >> bit & 1 ? shop_fault_of_bit(s, bit) : NULL;
		if (f && f->touched_ns && !f->delivered_ns) f->delivered_ns = s->queue->now_ns;
	}
}
