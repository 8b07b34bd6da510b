/* `experiment mttd --plot`: how long it took until a fault was found, its cause named, and it was mended; Flyball above
 * the alarms of today, on one logarithmic axis of time. An SVG of our own, the same bytes for the same rows.
 *
 * Each subject has its row, its words and its shape of point, so that nothing hangs on colour; light and dark follow
 * the reader's own setting. A point is a run (at most PLOT_POINTS of a row, by rank), the bar reaches from the 10th to
 * the 90th percentile, the stroke across it is the median; what never came stands in a column of its own. Of alarms,
 * which name no cause and mend nothing, the second and third panel add the time of people: an assumption, and it says
 * so. Memory: its own; thread: the caller's. */
#pragma once

#include "base/json.h"

#define PLOT_POINTS 400

struct plot;

struct plot *plot_new(void);
void plot_free(struct plot *p); /* takes NULL */
/* A row that report_add has taken; only what counts in the sums is drawn. */
void plot_add(struct plot *p, const struct json *row);
void plot_svg(struct plot *p, struct str title, struct buf *out);
