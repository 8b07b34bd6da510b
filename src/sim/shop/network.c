/* Regions, and the network between them. */
#include <math.h>

#include "sim/shop/impl.h"

#define RETRANSMIT_NS (200 * NS_PER_MS) /* RFC 6298's least on Linux; it doubles */
#define LOSSES_MAX    6

const char *shop_region_of(const struct shop_world *w, const char *region) {
	if (region && *region) return region;
	return w->region_count ? w->regions[0].name : "";
}

bool shop_remote(const struct shop *s, uint32_t service, const char *region) {
	const char *from = service == SHOP_NONE ? NULL : s->world->services[service].region;
	return strcmp(shop_region_of(s->world, from), shop_region_of(s->world, region)) != 0;
}

/* A lost packet comes a retransmission later: connections stand, so nothing is refused. */
int64_t shop_network_way(struct shop *s) {
	const struct shop_world *w = s->world;
	double ns = w->network_delay * 1e9 * exp(w->network_jitter * rng_normal(&s->network_rng));
	int64_t wait = RETRANSMIT_NS;
	for (int i = 0; i < LOSSES_MAX && w->network_loss > 0 && rng_unit(&s->network_rng) < w->network_loss; i++) {
		ns += (double)wait;
		wait *= 2;
	}
	return (int64_t)ns;
}
