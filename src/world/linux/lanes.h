/* Lanes as threads: one each, jobs in and out by a bounded ring, the loop woken by an eventfd.
 *
 * Signals are blocked in a lane, so that they reach the loop. A lane of `depth` holds at most that many
 * jobs that were submitted and not polled. */
#pragma once

#include "world/jobs.h"
#include "world/linux/loop.h"

struct lanes;

MUST_USE enum err lanes_open(struct loop *l, struct lanes **out);
struct jobs *lanes_jobs(struct lanes *l);
void lanes_close(struct lanes *l); /* every lane is closed before; takes NULL */

/* Who is called, on the loop, when jobs of this lane ended (for ports that have a lane of their own). */
void lane_on_end(struct lane *lane, void (*ended)(void *), void *arg);
