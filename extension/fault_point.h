/*
 * Named places at which a test build of the library fails, dies or waits, when the setting s3v.fault_points says so
 * (docs/design/fault_points.md). Nothing of them is left in any other build.
 *
 *	FAULT_POINT("sync.claimed");
 *
 * The part before the dot names the operation: points within the core, and those around the commit, carry the one that was passed last.
 */
#ifndef S3V_FAULT_POINT_H
#define S3V_FAULT_POINT_H

#ifdef S3V_FAULT_POINTS

#include "../src/api/s3v_c.h"

extern void fault_point(const char *name);
extern void fault_points_define(void);
extern void fault_points_watch(s3v_store *store);

#define FAULT_POINT(name) fault_point(name)
#define FAULT_POINTS_DEFINE() fault_points_define()
#define FAULT_POINTS_WATCH(store) fault_points_watch(store)

#else

#define FAULT_POINT(name) ((void) 0)
#define FAULT_POINTS_DEFINE() ((void) 0)
#define FAULT_POINTS_WATCH(store) ((void) 0)

#endif

#endif
