-- What the extension brings, and what everybody may do with it. A difference here is a question for a review, never a matter of course.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS s3v;
-- Later releases of PostgreSQL list the row types of tables and their arrays too: they go with their tables.
CREATE VIEW members AS
    SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 's3v') AND deptype = 'e'
        AND NOT EXISTS (SELECT FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem WHERE classid = 'pg_type'::regclass AND t.oid = objid AND (t.typrelid <> 0 OR e.typrelid <> 0));
-- Whoever installed it owns all of it.
CREATE FUNCTION owner_of(owner oid) RETURNS text LANGUAGE sql AS $$
    SELECT CASE owner WHEN (SELECT extowner FROM pg_extension WHERE extname = 's3v') THEN 'extension' ELSE owner::regrole::text END $$;
-- What others than the owner may do; NULL in a catalogue stands for the default of the kind of object.
CREATE FUNCTION granted(acl aclitem[], kind "char", owner oid) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(grants, '; ' ORDER BY grants), '-') FROM (
        SELECT concat(CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, ' ',
            string_agg(lower(privilege_type) || CASE WHEN is_grantable THEN ' with grant option' ELSE '' END, ', ' ORDER BY privilege_type)) AS grants
        FROM aclexplode(coalesce(acl, acldefault(kind, owner))) WHERE grantee <> owner GROUP BY grantee) g $$;

-- the extension itself
SELECT extname, extrelocatable AS relocatable, superuser, trusted, owner_of(extowner) IS NOT NULL AND (SELECT rolsuper FROM pg_roles r WHERE r.oid = extowner) AS "of a superuser"
FROM pg_extension, pg_available_extension_versions v WHERE extname = 's3v' AND v.name = extname AND v.version = extversion;
SELECT classid::regclass AS catalog, count(*) FROM members GROUP BY 1 ORDER BY 1::text;
-- members that no query below lists
SELECT pg_describe_object(classid, objid, 0) AS unlisted FROM members
WHERE classid::regclass::text NOT IN ('pg_proc', 'pg_class', 'pg_namespace', 'pg_foreign_data_wrapper', 'pg_foreign_server', 'pg_event_trigger') ORDER BY 1;

-- functions
SELECT oid::regprocedure AS function, provolatile AS volatile, proparallel AS parallel, prosecdef AS definer, proleakproof AS leakproof, proconfig AS config,
    owner_of(proowner) AS owner, granted(proacl, 'f', proowner) AS granted
FROM pg_proc JOIN members ON objid = oid AND classid = 'pg_proc'::regclass ORDER BY oid::regprocedure::text COLLATE "C";
SELECT oid::regprocedure AS function, prokind AS kind, (SELECT lanname FROM pg_language l WHERE l.oid = prolang) AS language, proisstrict AS strict,
    prosupport AS support, prosrc AS symbol, pg_get_function_result(oid) AS result
FROM pg_proc JOIN members ON objid = oid AND classid = 'pg_proc'::regclass ORDER BY oid::regprocedure::text COLLATE "C";
-- all in this one library
SELECT DISTINCT probin FROM pg_proc JOIN members ON objid = oid AND classid = 'pg_proc'::regclass;

-- tables, views, indexes and sequences
SELECT c.oid::regclass AS relation, relkind AS kind, relpersistence AS persistence, relrowsecurity AS row_security, reloptions AS options, relhasrules AND relkind <> 'v' AS rules,
    owner_of(relowner) AS owner, granted(relacl, (CASE relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", relowner) AS granted
FROM pg_class c JOIN members ON objid = c.oid AND classid = 'pg_class'::regclass ORDER BY relkind, c.oid::regclass::text COLLATE "C";
SELECT attrelid::regclass AS relation, attname AS column, granted(attacl, 'c', relowner) AS granted
FROM pg_attribute JOIN members ON objid = attrelid AND classid = 'pg_class'::regclass JOIN pg_class c ON c.oid = attrelid
WHERE attacl IS NOT NULL ORDER BY attrelid::regclass::text COLLATE "C", attname;
SELECT tgrelid::regclass AS relation, tgname AS trigger, tgfoid::regprocedure AS function, tgenabled AS enabled
FROM pg_trigger JOIN members ON objid = tgrelid AND classid = 'pg_class'::regclass ORDER BY 1, 2;
-- what dumps carry
SELECT u.relation::regclass AS dumped, u.condition FROM pg_extension, unnest(extconfig, extcondition) u (relation, condition) WHERE extname = 's3v' ORDER BY u.relation::regclass::text;

-- schema, wrapper, server, event triggers
SELECT 'schema ' || nspname AS object, owner_of(nspowner) AS owner, granted(nspacl, 'n', nspowner) AS granted FROM pg_namespace JOIN members ON objid = oid AND classid = 'pg_namespace'::regclass
UNION ALL SELECT 'wrapper ' || fdwname, owner_of(fdwowner), granted(fdwacl, 'F', fdwowner) FROM pg_foreign_data_wrapper JOIN members ON objid = oid AND classid = 'pg_foreign_data_wrapper'::regclass
UNION ALL SELECT 'server ' || srvname, owner_of(srvowner), granted(srvacl, 'S', srvowner) FROM pg_foreign_server JOIN members ON objid = oid AND classid = 'pg_foreign_server'::regclass;
SELECT srvname AS server, srvtype AS type, srvversion AS version, srvoptions AS options FROM pg_foreign_server JOIN members ON objid = oid AND classid = 'pg_foreign_server'::regclass;
SELECT count(*) AS mappings FROM pg_user_mapping JOIN members ON objid = umserver AND classid = 'pg_foreign_server'::regclass;
SELECT fdwhandler::regprocedure AS handler, fdwvalidator::regprocedure AS validator, fdwoptions AS options FROM pg_foreign_data_wrapper WHERE fdwname = 's3v';
SELECT evtname AS event_trigger, evtevent AS event, evtenabled AS enabled, evttags AS tags, evtfoid::regprocedure AS function, owner_of(evtowner) AS owner
FROM pg_event_trigger JOIN members ON objid = oid AND classid = 'pg_event_trigger'::regclass ORDER BY 1;

-- settings: who may change them
SELECT name, context, vartype AS type, min_val, max_val, boot_val FROM pg_settings WHERE name LIKE 's3v.%' ORDER BY name;

-- What stored expressions (views, defaults, constraints) are made of is PostgreSQL's own, or the extension's: nobody else's operator or function got in.
-- Objects of the system itself have no such entry.
SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS expression, pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) AS stranger
FROM pg_depend d
LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
LEFT JOIN pg_constraint c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid
WHERE coalesce(r.ev_class, a.adrelid, c.conrelid) IN (SELECT objid FROM members WHERE classid = 'pg_class'::regclass)
    AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_class'::regclass, 'pg_type'::regclass, 'pg_cast'::regclass, 'pg_collation'::regclass)
    AND NOT EXISTS (SELECT FROM members m WHERE m.classid = d.refclassid AND m.objid = d.refobjid) ORDER BY 1, 2;

DROP VIEW members;
DROP FUNCTION owner_of, granted;
