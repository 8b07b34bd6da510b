/* Telemetry as SDKs send it: bodies of OTLP requests, at times of now. */
#pragma once

#include "rig.h"

/* `n` server spans of one service, `failed` of them with errors. */
struct str feed_spans(struct t *t, const char *service, int n, int failed);
struct str feed_logs(struct t *t, const char *service, int n);
/* `n` gauge points of one metric, each its own series. */
struct str feed_gauges(struct t *t, const char *service, int n);

struct str feed_gzip(struct t *t, struct str bytes);
/* A gzip body of `n` zeros: small, until somebody inflates it. */
struct str feed_bomb(struct t *t, size_t n);
