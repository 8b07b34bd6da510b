/* Standard output: whatever a verb prints passes here.
 *
 * So -o means the same everywhere, and a write that fails is told once, with exit code 2, by whoever printed.
 * A reader that has gone (`| head`) is no failure: the verb ends, quietly. */
#pragma once

#include "base/json.h"
#include "cli/out.h"

struct cli;

/* Each answers EXIT_DONE, or the code of the write that failed. */
int cli_print(struct cli *c, struct str text);
/* Sentences: on a terminal folded to its width, with colours. */
int print_words(struct cli *c, struct str text);
int print_rows(struct cli *c, const struct out_column *columns, const struct json *array);
int print_object(struct cli *c, const struct json *object);
/* JSON text that this program wrote itself: an array (with columns) or an object (NULL). */
int print_made(struct cli *c, const struct out_column *columns, const struct buf *json);
/* One more page; c->out_over tells whoever goes on that nobody listens any more. */
int print_page(struct cli *c, struct out_table *t, const struct json *array);
int print_end(struct cli *c, struct out_table *t);
