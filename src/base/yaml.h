/* YAML read into the same tree as JSON; `at` of each node is its line (from 1), so that an error can
 * name it. libyaml behind one file.
 *
 * One document, no tags, anchors or merges (refused by line), depth at most JSON_DEPTH_MAX, plain
 * scalars typed as YAML 1.2 core (true/false/null/numbers), quoted ones strings. Every scalar keeps
 * its text. Duplicate keys are refused.
 * Errors begin with "line N: "; why_file (err.h) puts the file there. */
#pragma once

#include "base/json.h"

MUST_USE enum err yaml_parse(struct arena *a, struct str text, const struct json **out, struct why *why);
