/* The fewest steps of a plan that still make a run fail, by delta debugging (Zeller & Hildebrandt 2002,
 * "Simplifying and isolating failure-inducing input", ddmin with complements only).
 *
 * Pure: whoever asks plays the plans. What is left is 1-minimal when the tries suffice: without any one of
 * its steps the run does not fail. */
#pragma once

#include "sim/run/plan.h"

/* Does the run still fail, in the same way, with this plan? */
typedef bool shrink_fails(void *self, const struct fault_plan *plan);

/* `p` fails when this is called, and when it returns. At most `tries` plans are asked about; returns how many were. */
int plan_shrink(struct fault_plan *p, shrink_fails *fails, void *self, int tries);
