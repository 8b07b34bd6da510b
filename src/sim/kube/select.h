/* Label and field selectors as they stand in a query ("app in (a,b),tier!=db", "metadata.name=x"). */
#pragma once

#include "sim/kube/doc.h"

/* False: malformed. An empty selector is fine and matches everything. */
bool sim_kube_selector_valid(struct str selector);
bool sim_kube_labels_selected(struct str selector, const struct doc *labels);
bool sim_kube_fields_selected(struct str selector, const struct doc *object);
/* The first field that objects of a kind cannot be selected by; empty: all can. `plural`: "pods". */
struct str sim_kube_field_unknown(struct str selector, const char *plural);
