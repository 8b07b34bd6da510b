/* For tests: the records of batches as text, one a line, resources and series written out. The same
 * text is made of a recording by tests/corpus/otlp/make.py, which knows nothing of this program. */
#pragma once

#include "ingest/pack.h"

/* Appends the records of one batch. False: it does not read as sound. */
bool render_batch(struct str bytes, struct buf *out);
