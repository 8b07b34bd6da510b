/* Which moves an action may make, as one table, checked on each move.
 *
 * The states are model/action.h's. A move that the table lacks is a bug, so lifecycle_move asserts:
 * better a stopped controller than one that acts twice. "Terminal" means that control moves no
 * further by itself; a person may still take back what was verified or was without effect. */
#pragma once

#include "model/action.h"

/* May a row come into being in this state? TOLD, REFUSED, WAITING or CLAIMED. */
bool lifecycle_starts(enum action_state s);
bool lifecycle_allowed(enum action_state from, enum action_state to);
/* Sets *s. Asserts that the move is in the table. */
void lifecycle_move(enum action_state *s, enum action_state to);
/* From CLAIMED on the key is taken: the attempt counts. */
bool lifecycle_claimed(enum action_state s);
/* The effect was confirmed at some time, so there is something to undo. */
bool lifecycle_undoable(enum action_state s);
