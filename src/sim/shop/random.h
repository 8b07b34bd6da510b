/* Whole worlds drawn from a seed: `--world random:SEED[:SERVICES]`.
 *
 * Layers. A door (one service, one more for every forty) and below it 2 to 5 layers; a service is called only from
 * layers above its own, so calls never go in a ring, and each has a caller, so all are reached. Fan-in is a discrete
 * power law (Pareto, exponent 1.3, at most a third of the services): most services have one caller, a few have many.
 * Every endpoint of a service has at least one of its callers. Of an endpoint's calls the first is always made, of
 * others such a share that a request makes 1.2 calls a level at the mean: a customer's request touches some ten to
 * forty endpoints whatever the size, as traces of large systems do (Luo et al., Characterizing Microservice
 * Dependency and Performance, SoCC 2021: heavy-tailed fan-in, shallow and narrow call trees).
 *
 *   language     go 30 %, java 25, nodejs 20, python 15, dotnet 10
 *   work         lognormal; median itself lognormal around 3 (go), 6 (java, dotnet), 5 (nodejs), 10 ms (python), sigma
 * 0.5; spread 0.3 to 0.6, tail 0.1 to 0.4 % of exponent 1.5 to 2.5 start-up     lognormal around 2.5, 14, 5, 7, 7 s,
 * sigma 0.35 memory       lognormal around 50, 320, 110, 160, 130 MiB, sigma 0.3; limit 2 to 3 times that databases one
 * for every five services; two thirds of the services below the door have one, shared by a Zipf law; postgresql 40 %,
 * redis 20, mysql 15, mongodb 15, cassandra 5, elasticsearch 5 traffic      at the door 10 to 150 requests a second, by
 * its logarithm, but such that all services together have at most 2,500; daily swing 20 to 60 %; peak at any hour
 *   capacity     workers by language; replicas such that 10 to 35 % of them are busy at the mean
 *                cores such that at most a third of them is used, half a core at least
 *   errors       0.01 to 0.2 % of an endpoint's requests, by the logarithm
 *   telemetry    spans unsampled 60 %, one in ten 30 %, one in a hundred 10 %; metrics every 10, 15, 30 or 60 s
 *
 *   calls        one in ten cached (30 to 90 % hits), one in twenty-five two to four times at once; one service in
 * eight from the second layer on takes messages from a queue instead of requests replicas     of one database in three,
 * one to three autoscalers  of one service in seven, up to twice its pods regions      half of the worlds of 20
 * services and more have a second one, for who takes messages life         2 to 11 deployments a day; in a half or a
 * third of the worlds each: bursts, gaps, counter resets, skewed clocks, drains, a nightly job, a campaign
 *
 * So every world is stable at rest, and shop_world_check holds for it. Pure: the same seed, the same world. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "sim/shop/world.h"

#define SHOP_RANDOM_LEAST 5
#define SHOP_RANDOM_MOST  500

/* "random:SEED" or "random:SEED:SERVICES". False: it is something else. */
bool shop_random_is(struct str text);
/* ERR_INVALID: what is wrong with it; ERR_NOMEM. Without a number of services 8 to 40 are drawn. */
MUST_USE enum err shop_random_parse(struct str text, uint64_t *seed, int *services, struct why *why);
/* `services`: 0, or SHOP_RANDOM_LEAST..MOST. All lies in `a`. ERR_NOMEM. */
MUST_USE enum err shop_random(struct arena *a, uint64_t seed, int services, struct shop_world *out);
