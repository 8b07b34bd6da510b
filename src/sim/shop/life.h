/* Ordinary life of the shop: what happens there every day and is no fault. Flyball must keep quiet.
 *
 * The world says how often each comes (struct shop_world); a plan may also ask for one now. Deployments, drains and
 * sleep go through the simulated cluster, as people and controllers do it. Thread: the world's own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct shop;

/* Each false: the world has no such service, node or job. */
bool shop_deploy(struct shop *s, const char *service);
bool shop_drain(struct shop *s, const char *node, int64_t for_ns);           /* "node-2"; then it takes pods again */
bool shop_put_to_sleep(struct shop *s, const char *service, int64_t for_ns); /* to zero, and back */
bool shop_run_job(struct shop *s, const char *job);
bool shop_lose_telemetry(struct shop *s, const char *service, int64_t for_ns);
bool shop_reset_counters(struct shop *s, const char *service); /* in each of its processes */
bool shop_skew_clock(struct shop *s, const char *node, int64_t by_ns);
/* So many times as many customers, for a while. */
void shop_burst(struct shop *s, double factor, int64_t for_ns);
