/* Versions that somebody may still need. */
#ifndef S3V_RETAINED_H
#define S3V_RETAINED_H

#include "postgres.h"

/* Manifests to keep, as C strings; and the versions whose rows go. */
typedef struct Retained
{
	const char **manifests;
	size_t		count;
	int64	   *expired;
	int			expired_count;
} Retained;

/* Under the active snapshot, which must be the latest: an older one would not know the newest version. */
extern Retained retained_read(Oid index_id, int64 keep_seconds);

/* After their objects are gone. */
extern void retained_forget_expired(Oid index_id, const Retained *retained);

#endif
