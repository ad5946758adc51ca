/* The columns of an index's foreign table follow those of its source. */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "columns.h"

/* The foreign table's column at that place among those not dropped, or NULL. */
static Form_pg_attribute
live_column(TupleDesc desc, int place)
{
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && place-- == 0)
			return attribute;
	}
	return NULL;
}

static const S3vColumn *
source_column(const S3vSource *source, int place)
{
	return place == 0 ? &source->key : place == 1 ? &source->vector : &source->metadata[place - 2];
}

bool
columns_match(const S3vIndex *index, const S3vSource *source)
{
	Relation	rel = table_open(index->index_id, AccessShareLock);
	bool		match = true;
	int			place;

	for (place = 0; match && place < 2 + source->metadata_count; place++)
	{
		Form_pg_attribute attribute = live_column(RelationGetDescr(rel), place);

		match = attribute != NULL && attribute->atttypid == source_column(source, place)->type;
	}
	table_close(rel, AccessShareLock);
	return match;
}

void
columns_follow(const S3vIndex *index, const S3vSource *source)
{
	int			place;

	for (place = 0; place < 2 + source->metadata_count; place++)
	{
		const S3vColumn *column = source_column(source, place);
		Relation	rel = table_open(index->index_id, AccessShareLock);
		Form_pg_attribute attribute = live_column(RelationGetDescr(rel), place);
		char	   *name = attribute != NULL && attribute->atttypid != column->type ? pstrdup(NameStr(attribute->attname)) : NULL;

		table_close(rel, AccessShareLock);
		if (name != NULL)
			(void) catalog_execute(psprintf("ALTER FOREIGN TABLE %s ALTER COLUMN %s TYPE %s", relation_quoted(index->index_id),
											quote_identifier(name), source_declared_type(column)),
								   0, NULL, NULL, NULL, NULL);
	}
}

void
columns_forget(const S3vIndex *index, int metadata)
{
	Relation	rel = table_open(index->index_id, AccessShareLock);
	Form_pg_attribute attribute = live_column(RelationGetDescr(rel), 2 + metadata);
	char	   *name = attribute != NULL ? pstrdup(NameStr(attribute->attname)) : NULL;
	Oid			types[2] = {OIDOID, NAMEOID};
	Datum		values[2];

	table_close(rel, AccessShareLock);
	values[0] = ObjectIdGetDatum(index->index_id);
	values[1] = DirectFunctionCall1(namein, CStringGetDatum(index->metadata[metadata]));
	(void) catalog_execute_latest("UPDATE s3v.index SET metadata = array_remove(metadata, $2),"
								  " remote_names = array_remove(remote_names, remote_names[array_position(metadata, $2)])"
								  " WHERE index_id = $1", 2, types, values);
	if (name != NULL)
		(void) catalog_execute(psprintf("ALTER FOREIGN TABLE %s DROP COLUMN %s", relation_quoted(index->index_id),
										quote_identifier(name)), 0, NULL, NULL, NULL, NULL);
	catalog_changed(index->source);
}
