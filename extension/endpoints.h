/* s3v.allowed_endpoints: where servers of roles other than superusers may point. */
#ifndef S3V_ENDPOINTS_H
#define S3V_ENDPOINTS_H

#include "postgres.h"

#include "utils/guc.h"

/* Check hook: entries are host, host:port, *.suffix, *.suffix:port; an IPv6 address stands in brackets. */
extern bool endpoints_check(char **newval, void **extra, GucSource source);

/* Does the list name the endpoint? REQUIRES: s3v_store_check() took it: http[s]://host[:port], perhaps with a slash behind. */
extern bool endpoint_is_allowed(const char *endpoint, const char *list);

#endif
