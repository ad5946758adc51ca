/*
 * The source table of an index as it is now: its columns by name, their types, and the statement that reads them.
 */
#include "postgres.h"

#include "source.h"

#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Enough to choose from; a table may have 1,600 columns. */
#define MAX_LISTED_COLUMNS 20

static Form_pg_attribute
find_attribute(TupleDesc columns, const char *name)
{
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(columns, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0)
			return attribute;
	}
	return NULL;
}

static char *
list_columns(TupleDesc columns)
{
	StringInfoData list;
	int			listed = 0;

	initStringInfo(&list);
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(columns, i);

		if (attribute->attisdropped)
			continue;
		if (listed == MAX_LISTED_COLUMNS)
		{
			appendStringInfoString(&list, " and more");
			break;
		}
		appendStringInfo(&list, "%s\"%s\"", listed == 0 ? "" : ", ", NameStr(attribute->attname));
		listed++;
	}
	return list.data;
}

/* Fills *column but for its kind. False, with missing_ok only: there is no such column. */
static bool
describe_column(Relation rel, const char *name, bool missing_ok, S3vColumn *column)
{
	Form_pg_attribute attribute = find_attribute(RelationGetDescr(rel), name);

	/* A virtual column is in no tuple: capture would never see it change. */
	if (attribute == NULL || attribute->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
	{
		if (missing_ok)
			return false;
		if (attribute != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column \"%s\" of relation \"%s\" is a virtual generated column", name,
							RelationGetRelationName(rel)),
					 errhint("A stored generated column can be indexed.")));
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", name, RelationGetRelationName(rel)),
				 errhint("Columns of the table are %s.", list_columns(RelationGetDescr(rel)))));
	}

	column->name = pstrdup(NameStr(attribute->attname));
	column->attnum = attribute->attnum;
	column->type = attribute->atttypid;
	column->typmod = attribute->atttypmod;
	column->base_type = getBaseTypeAndTypmod(attribute->atttypid, &column->typmod);
	return true;
}

static void
refuse_type(const S3vColumn *column, const char *role, const char *taken)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("column \"%s\" of type %s cannot be a %s column of an index", column->name,
					format_type_be(column->type), role),
			 errhint("A %s column may be %s, or a domain over one of them.", role, taken)));
}

static bool
describe_key(Relation rel, const char *name, bool missing_ok, S3vSource *source)
{
	Oid			collation;

	if (!describe_column(rel, name, missing_ok, &source->key))
		return false;
	source->key_kind = key_kind_of(source->key.base_type);
	collation = TupleDescAttr(RelationGetDescr(rel), source->key.attnum - 1)->attcollation;

	if (source->key_kind == 0)
	{
		if (!missing_ok)
			refuse_type(&source->key, "key", "smallint, integer, bigint, uuid, text or character varying");
		return false;
	}
	/* Two texts that such a collation calls equal would be two keys to the index. */
	if (OidIsValid(collation) && !get_collation_isdeterministic(collation))
	{
		if (!missing_ok)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("key column \"%s\" has the nondeterministic collation \"%s\"", name,
							get_collation_name(collation)),
					 errhint("Use a key column with a deterministic collation.")));
		return false;
	}
	return true;
}

static bool
describe_vector(Relation rel, const char *name, bool missing_ok, S3vSource *source)
{
	int			kind;

	if (!describe_column(rel, name, missing_ok, &source->vector))
		return false;
	kind = vector_kind_of(source->vector.base_type);
	if (!vector_kind_is_stored(kind))
	{
		if (!missing_ok)
			refuse_type(&source->vector, "vector", "real[], double precision[], or vector or halfvec of pgvector");
		return false;
	}
	source->vector_kind = kind;
	return true;
}

/* The key may also be metadata, so that filters can use it; the vector may not. */
static bool
describe_metadata(Relation rel, int count, char **names, bool missing_ok, S3vSource *source)
{
	source->metadata_count = count;
	source->metadata = palloc0(Max(count, 1) * sizeof(S3vColumn));
	for (int i = 0; i < count; i++)
	{
		S3vColumn  *column = &source->metadata[i];

		if (!describe_column(rel, names[i], missing_ok, column))
			return false;
		for (int j = 0; j < i; j++)
		{
			if (source->metadata[j].attnum == column->attnum)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("metadata column \"%s\" is named more than once", column->name)));
		}
		if (column->attnum == source->vector.attnum)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("vector column \"%s\" cannot also be a metadata column", column->name)));
		column->kind = metadata_kind_of(column->base_type);
		if (column->kind == 0)
		{
			if (!missing_ok)
				refuse_type(column, "metadata",
							"text, character varying, character, name, boolean, smallint, integer, bigint, real, "
							"double precision, numeric, date, timestamp, timestamptz, uuid, an enum, jsonb, or an array "
							"of text, character varying, numbers or booleans");
			return false;
		}
	}
	return true;
}

S3vSource *
source_describe(Relation rel, const char *key_column, const char *vector_column, int metadata_count, char **metadata,
				bool missing_ok)
{
	S3vSource  *source = palloc0(sizeof(S3vSource));

	source->relid = RelationGetRelid(rel);
	source->partitioned = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	if (!describe_key(rel, key_column, missing_ok, source) ||
		!describe_vector(rel, vector_column, missing_ok, source) ||
		!describe_metadata(rel, metadata_count, metadata, missing_ok, source))
		return NULL;
	return source;
}

/* A leaf has every column of its parents, with the same type. Mostly at the same place. */
static AttrNumber
attribute_in(Relation rel, const S3vColumn *column)
{
	TupleDesc	columns = RelationGetDescr(rel);
	Form_pg_attribute attribute = NULL;

	if (column->attnum <= columns->natts)
		attribute = TupleDescAttr(columns, column->attnum - 1);
	if (attribute == NULL || attribute->attisdropped || strcmp(NameStr(attribute->attname), column->name) != 0)
		attribute = find_attribute(columns, column->name);
	if (attribute == NULL || attribute->atttypid != column->type)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no column \"%s\" of type %s", RelationGetRelationName(rel), column->name,
						format_type_be(column->type))));
	return attribute->attnum;
}

S3vSource *
source_in_leaf(const S3vSource *source, Relation leaf)
{
	S3vSource  *found = palloc(sizeof(S3vSource));

	*found = *source;
	found->relid = RelationGetRelid(leaf);
	found->partitioned = false;
	found->key.attnum = attribute_in(leaf, &source->key);
	found->vector.attnum = attribute_in(leaf, &source->vector);
	found->metadata = palloc(sizeof(S3vColumn) * Max(source->metadata_count, 1));
	for (int i = 0; i < source->metadata_count; i++)
	{
		found->metadata[i] = source->metadata[i];
		found->metadata[i].attnum = attribute_in(leaf, &source->metadata[i]);
	}
	return found;
}

char *
source_declared_type(const S3vColumn *column)
{
	/* A domain's modifier is its own affair. */
	int32		typmod = column->type == column->base_type ? column->typmod : -1;

	return format_type_extended(column->type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

bool
source_has_children(Oid relid)
{
	/* The flag in pg_class outlives the children. */
	return has_subclass(relid) && get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE &&
		find_inheritance_children(relid, NoLock) != NIL;
}

char *
source_select(const S3vSource *source)
{
	StringInfoData sql;
	char	   *schema = get_namespace_name(get_rel_namespace(source->relid));
	char	   *table = get_rel_name(source->relid);

	if (schema == NULL || table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("source of the index does not exist any more")));

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s", quote_identifier(source->key.name));
	appendStringInfo(&sql, ", %s", quote_identifier(source->vector.name));
	for (int i = 0; i < source->metadata_count; i++)
		appendStringInfo(&sql, ", %s", quote_identifier(source->metadata[i].name));
	appendStringInfo(&sql, " FROM %s%s", source->partitioned ? "" : "ONLY ", quote_qualified_identifier(schema, table));
	return sql.data;
}

bool
source_key_is_unique(Relation rel, AttrNumber attnum, bool *deferrable)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *cell;
	bool		found = false;

	*deferrable = false;
	foreach(cell, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index form;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", lfirst_oid(cell));
		form = (Form_pg_index) GETSTRUCT(tuple);
		if (form->indisunique && form->indisvalid && form->indnkeyatts == 1 && form->indkey.values[0] == attnum &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL) && heap_attisnull(tuple, Anum_pg_index_indexprs, NULL))
		{
			if (form->indimmediate)
				found = true;
			else
				*deferrable = true;
		}
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
	return found;
}

RegProcedure
source_key_equality(Oid base_type)
{
	switch (base_type)
	{
		case INT2OID:
			return F_INT2EQ;
		case INT4OID:
			return F_INT4EQ;
		case INT8OID:
			return F_INT8EQ;
		case UUIDOID:
			return F_UUID_EQ;
		default:
			return F_TEXTEQ;
	}
}

/* An operator class of a user's own may mean something else by "equal", and so does another collation. */
static bool
finds_keys(Relation index, Oid base_type, Oid collation)
{
	Oid			type = base_type == VARCHAROID ? TEXTOID : base_type;
	Oid			equality = get_opfamily_member(index->rd_opfamily[0], type, type, BTEqualStrategyNumber);

	return index->rd_opcintype[0] == type && index->rd_indcollation[0] == collation &&
		OidIsValid(equality) && get_opcode(equality) == source_key_equality(base_type);
}

Oid
source_key_index(Relation rel, const S3vSource *source)
{
	Oid			collation = TupleDescAttr(RelationGetDescr(rel), source->key.attnum - 1)->attcollation;
	Oid			found = InvalidOid;
	List	   *indexes;
	ListCell   *cell;

	if (rel->rd_rel->relkind != RELKIND_RELATION && rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return InvalidOid;
	indexes = RelationGetIndexList(rel);
	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		Form_pg_index form = index->rd_index;

		if (index->rd_rel->relam == BTREE_AM_OID && form->indisunique && form->indisvalid && form->indnkeyatts == 1 &&
			form->indkey.values[0] == source->key.attnum && heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL) &&
			finds_keys(index, source->key.base_type, collation))
			found = RelationGetRelid(index);
		index_close(index, AccessShareLock);
		if (OidIsValid(found))
			break;
	}
	list_free(indexes);
	return found;
}
