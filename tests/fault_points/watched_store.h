/* A store of the wall that tells of what it does, for the fault points of test builds (extension/fault_point.h). */
#ifndef S3V_WATCHED_STORE_H
#define S3V_WATCHED_STORE_H

#include "../../src/api/s3v_c.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * From now on `passed` is called, on the thread that uses the store, around its calls: put_sent, put_acked (before the
 * manifest objects_done in their place, after it manifest_acked), listed, object_read, navigation_read, ranges_read,
 * delete_sent, deleted; and with "cache.renamed" when a file of the local cache has got its name, whatever store it
 * belongs to. Nonzero: the call fails with S3V_IO_ERROR; the renaming says that it failed.
 */
void s3v_store_watch(s3v_store* store, int (*passed)(const char* what));

#ifdef __cplusplus
}
#endif

#endif
