/* The program under hostile input: what is whole and well-formed, sent in between, is taken all the same. */
#pragma once

#include "feed.h"
#include "h2.h"

struct siege {
	struct t *t;
	struct flyball f;
	int64_t spans, points, logs; /* acknowledged with success */
	int64_t rounds;
	int64_t files, memory_kib; /* after the first rounds */
};

/* Limits that a test reaches quickly: bodies of 1 MiB, 8 MiB of them at once, 32 requests, 120 connections. */
#define SIEGE_LIMITS      "limits: {body: 1MiB, memory: 8MiB, requests: 32, connections: 120}\n"
#define SIEGE_BODY        (1 << 20)
#define SIEGE_CONNECTIONS 120
/* Over what it had in peace: 8 MiB of bodies, some 500 connections with 64 KiB of their own and a piece of a body, and
 * what the allocator keeps. */
#define SIEGE_MEMORY_KIB (96 * 1024)

/* Starts it with the limits and `yaml`. */
struct siege siege_begin(struct t *t, const char *yaml);
/* One whole request over each way in (HTTP plain and gzip, gRPC), each on a connection of its own, and /healthz. Each
 * must be accepted at once. */
void siege_whole(struct siege *s);
/* It lives; what it counts is what was acknowledged; files and memory are as before; SIGTERM ends it with 0, and its
 * state is whole. */
void siege_end(struct siege *s);
int siege_files(const struct siege *s); /* that it has open */
double siege_cpu_s(const struct siege *s);
