/* Rows of the bookkeeping tables, read by index under a named snapshot. */
#ifndef S3V_CATALOG_SCAN_H
#define S3V_CATALOG_SCAN_H

#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

typedef struct CatalogScan
{
	Relation	rel;
	SysScanDesc rows;
	HeapTuple	tuple;			/* the row found last, and its columns */
	Datum	   *values;
	bool	   *nulls;
} CatalogScan;

/*
 * Rows of a table of schema s3v whose regclass column has that value (all, when InvalidOid), by that index; NULL: the primary key, which is
 * known without a look at the catalogues.
 */
extern void catalog_scan_begin(CatalogScan *scan, const char *table, const char *index_name, AttrNumber column, Oid value,
							   Snapshot snapshot);
extern bool catalog_scan_next(CatalogScan *scan);
extern void catalog_scan_end(CatalogScan *scan);

extern bool catalog_written_by_this_transaction(const CatalogScan *scan);

/* NULL where the column is NULL. */
extern char *catalog_text_of(const CatalogScan *scan, AttrNumber column);

#endif
