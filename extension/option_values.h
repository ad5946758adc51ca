/* Values of options: text to what it means, or 22023 that tells what is valid. */
#ifndef S3V_OPTION_VALUES_H
#define S3V_OPTION_VALUES_H

#include "postgres.h"

extern void invalid_option_value(const char *name, const char *value, const char *valid);

extern int64 option_integer(const char *name, const char *value, int64 min, int64 max);

/* As the setting: a number without a unit is in kB. */
extern int64 option_size(const char *name, const char *value);

extern double option_fraction(const char *name, const char *value, double min, double max);

extern bool option_boolean(const char *name, const char *value);

/* The ordinal of the choice; the list ends with NULL. */
extern int	option_choice(const char *name, const char *value, const char *const *choices);

/* The elements of an array of names as text, palloc'd. */
extern char **option_names(const char *name, const char *value, int *count);

#endif
