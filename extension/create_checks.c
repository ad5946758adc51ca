/* What s3v_create_index asks of a source: a plain table, a key, metadata columns, known dimensions. */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "create.h"
#include "partitions.h"
#include "source_scan.h"

static void
refuse_source(Relation rel, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot create an s3v index on %s \"%s\"", what, RelationGetRelationName(rel)),
			 hint != NULL ? errhint("%s", hint) : 0));
}

/* Writers of leaves wait as those of the source do. */
static void
check_leaves(Relation rel)
{
	ListCell   *cell;

	foreach(cell, partitions_leaves(RelationGetRelid(rel), ShareRowExclusiveLock))
	{
		const char *unfit = partitions_unfit(lfirst_oid(cell));

		if (unfit != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot create an s3v index on partitioned table \"%s\"", RelationGetRelationName(rel)),
					 errdetail("Its partition \"%s\" is %s.", get_rel_name(lfirst_oid(cell)), unfit)));
	}
}

void
create_check_source(Relation rel)
{
	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
			break;
		case RELKIND_PARTITIONED_TABLE:
			check_leaves(rel);
			break;
		case RELKIND_VIEW:
			refuse_source(rel, "view", "Create the index on the table beneath it.");
			break;
		case RELKIND_MATVIEW:
			refuse_source(rel, "materialized view", "Create the index on a table; changes of a materialized view cannot be captured.");
			break;
		case RELKIND_FOREIGN_TABLE:
			refuse_source(rel, "foreign table", NULL);
			break;
		default:
			refuse_source(rel, "relation", "The source must be a table.");
	}
	if (IsSystemRelation(rel))
		refuse_source(rel, "system catalog", NULL);
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		refuse_source(rel, "temporary table", "Its rows end with the session, the index would not.");
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
		refuse_source(rel, "unlogged table", "ALTER TABLE ... SET LOGGED first: a crash empties an unlogged table.");
	if (rel->rd_rel->relispartition)
		refuse_source(rel, "partition", "Create the index on the partitioned table, or detach the partition first.");
	if (source_has_children(RelationGetRelid(rel)) || has_superclass(RelationGetRelid(rel)))
		refuse_source(rel, "table with inheritance", "Tables with parents or children are not supported yet.");
}

static bool
is_partitioned(Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
}

/* Of a partitioned table not every column can be made unique. */
static int
code_for_key(Relation rel)
{
	return is_partitioned(rel) ? ERRCODE_FEATURE_NOT_SUPPORTED : ERRCODE_INVALID_PARAMETER_VALUE;
}

/* The primary key's only column, when the caller named no key. */
char *
create_primary_key_column(Relation rel)
{
	Oid			primary;
	HeapTuple	tuple;
	Form_pg_index form;
	char	   *column = NULL;

	(void) RelationGetIndexList(rel);	/* fills rd_pkindex */
	primary = rel->rd_pkindex;
	if (OidIsValid(primary))
	{
		tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(primary));
		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", primary);
		form = (Form_pg_index) GETSTRUCT(tuple);
		if (form->indnkeyatts == 1)
			column = get_attname(RelationGetRelid(rel), form->indkey.values[0], false);
		ReleaseSysCache(tuple);
	}
	if (column == NULL)
		ereport(ERROR,
				(errcode(code_for_key(rel)),
				 OidIsValid(primary)
				 ? errmsg("the primary key of table \"%s\" has several columns", RelationGetRelationName(rel))
				 : errmsg("table \"%s\" has no primary key", RelationGetRelationName(rel)),
				 is_partitioned(rel)
				 ? errhint("A partitioned table needs a key of one column, by which it is partitioned at every level.")
				 : errhint("Name a unique column that is NOT NULL with key_column => ...")));
	return column;
}

/* What the caller listed is a parameter, not a name in SQL text: 22023, as for an unknown metric. */
void
create_check_metadata(Relation rel, const Creation *creation)
{
	int			i;

	for (i = 0; i < creation->metadata_count; i++)
	{
		if (get_attnum(RelationGetRelid(rel), creation->metadata[i]) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("metadata column \"%s\" of table \"%s\" does not exist", creation->metadata[i],
							RelationGetRelationName(rel)),
					 errhint("metadata => '{...}' lists columns of the source.")));
	}
}

void
create_check_key(Relation rel, const S3vColumn *key)
{
	bool		deferrable;

	if (!column_never_null(RelationGetDescr(rel), key->attnum - 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("key column \"%s\" of table \"%s\" may be null", key->name, RelationGetRelationName(rel)),
				 errhint("ALTER TABLE ... ALTER COLUMN %s SET NOT NULL.", quote_identifier(key->name))));
	if (!source_key_is_unique(rel, key->attnum, &deferrable))
		ereport(ERROR,
				(errcode(deferrable ? ERRCODE_INVALID_PARAMETER_VALUE : code_for_key(rel)),
				 errmsg("key column \"%s\" of table \"%s\" is not unique", key->name, RelationGetRelationName(rel)),
				 deferrable
				 ? errdetail("Its unique constraint is deferrable: two rows may have one key within a transaction.")
				 : errdetail("There is no unique index on this column alone, without expression or condition."),
				 is_partitioned(rel)
				 ? errhint("Create a unique index on it, which must be what the table is partitioned by at every level.")
				 : errhint("Create a unique index on it, or name another key_column.")));
}

/* Dimensions of the first row that has a vector; 0 when there is none. Under a fresh snapshot: the source is locked by now. */
static int
dimensions_of_rows(Relation rel, const S3vSource *columns)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	S3vSourceScan *scan = source_scan_begin(rel, columns, snapshot);
	int			dimensions = 0;

	while (dimensions == 0 && source_scan_next(scan))
	{
		char	   *complaint;

		/* A bad row is passed over here: the build names it, and others with it. */
		if (!scan->nulls[1])
			(void) vector_from_row(scan->values[1], columns, &dimensions, &complaint);
	}
	source_scan_end(scan);
	UnregisterSnapshot(snapshot);
	return dimensions;
}

int
create_choose_dimensions(const Creation *creation, Relation rel)
{
	int			declared = vector_typmod_dimensions(&creation->columns->vector);
	int			dimensions = declared;

	if (dimensions == 0)
		dimensions = creation->options.dimensions;
	else if (creation->options.dimensions != 0 && creation->options.dimensions != declared)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option dimensions is %d, but column \"%s\" has %d",
						creation->options.dimensions, creation->vector_column, declared)));
	if (dimensions == 0)
		dimensions = dimensions_of_rows(rel, creation->columns);
	if (dimensions == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions of column \"%s\" are not known", creation->vector_column),
				 errdetail("No row of table \"%s\" has a vector that can be indexed, and the column's type names no dimensions.",
						   RelationGetRelationName(rel)),
				 errhint("Give them with options => '{\"dimensions\": 768}'.")));
	return dimensions;
}
