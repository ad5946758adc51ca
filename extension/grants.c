/*
 * Rights on the bookkeeping that nobody here has given. ALTER DEFAULT PRIVILEGES of whoever installs the extension grants some on every new table; of a
 * table that is written as its owner, a superuser, the right to make a trigger is the right to be one.
 */
#include "postgres.h"

#include "catalog.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* Roles that may do anything with the relation, its owner left out. */
List *
catalog_grantees(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	List	   *roles = NIL;
	bool		is_null;
	Datum		datum = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, &is_null);

	if (!is_null)
	{
		Acl		   *acl = DatumGetAclPCopy(datum);
		AclItem    *items = ACL_DAT(acl);

		for (int i = 0; i < ACL_NUM(acl); i++)
		{
			if (items[i].ai_grantee != owner)
				roles = list_append_unique_oid(roles, items[i].ai_grantee);
		}
	}
	ReleaseSysCache(tuple);
	return roles;
}

static const char *
quoted_role(Oid role)
{
	return role == ACL_ID_PUBLIC ? "PUBLIC" : quote_identifier(GetUserNameFromId(role, false));
}

void
catalog_revoke_all(Oid relid)
{
	char	   *name = relation_quoted(relid);
	ListCell   *cell;

	/* Of sequences as well. */
	foreach(cell, catalog_grantees(relid))
		catalog_execute(psprintf("REVOKE ALL ON TABLE %s FROM %s", name, quoted_role(lfirst_oid(cell))), 0, NULL, NULL, NULL, NULL);
}

/* Tables and sequences; views are made later, and cannot be written. */
static List *
bookkeeping(void)
{
	Relation	classes = table_open(RelationRelationId, AccessShareLock);
	List	   *relations = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_class_relnamespace, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(catalog_schema()));
	scan = systable_beginscan(classes, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (form->relkind == RELKIND_RELATION || form->relkind == RELKIND_SEQUENCE)
			relations = lappend_oid(relations, form->oid);
	}
	systable_endscan(scan);
	table_close(classes, AccessShareLock);
	return relations;
}

PG_FUNCTION_INFO_V1(s3v_revoke_defaults);

/* Lives as long as the install script, before it grants anything itself. */
Datum
s3v_revoke_defaults(PG_FUNCTION_ARGS)
{
	ListCell   *cell;

	foreach(cell, bookkeeping())
		catalog_revoke_all(lfirst_oid(cell));
	PG_RETURN_VOID();
}
