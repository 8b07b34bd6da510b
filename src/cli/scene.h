/* One frame of the demo on a terminal: what is broken, what Flyball knows and does, the graph, the story.
 *
 * Pure: a frame of the play in, a canvas out; it may be of any size. The graph is drawn in layers where it fits, else
 * listed by layers. A state is told by its mark and its word in the legend, never by colour alone. A scene keeps
 * the layout while graph and size stay. Memory: its own, scene_init to scene_done. */
#pragma once

#include "base/arena.h"
#include "cli/canvas.h"
#include "cli/layers.h"
#include "sim/sim.h"

struct scene {
	struct arena arena; /* of the layout */
	struct layers layout;
	int *depths; /* where it does not fit */
	int layer_count;
	bool fits;
	uint64_t shape;
	int columns, rows;
};

/* What the one who shows it adds. */
struct scene_pace {
	double speed; /* seconds of the world in one of the viewer's */
	bool paused, keys;
};

void scene_init(struct scene *s);
void scene_done(struct scene *s);
void scene_draw(struct scene *s, struct canvas *c, const struct demo_frame *f, const struct scene_pace *pace);
