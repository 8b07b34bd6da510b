/* The version, in one place. */
#pragma once

#define FLYBALL_VERSION "0.1.0"
