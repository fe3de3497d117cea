-- What is wrong with the installed extension, one line each; silence is good.

\set ours '''identity_resolve''::regnamespace'

-- Members stand in the extension's schema, and nothing else does.
SELECT pg_describe_object(classid, objid, 0) || ' is outside schema identity_resolve'
FROM pg_depend d
CROSS JOIN LATERAL pg_identify_object(classid, objid, 0) AS object
WHERE refclassid = 'pg_extension'::regclass
  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'identity_resolve')
  AND deptype = 'e'
  AND object.schema IS DISTINCT FROM 'identity_resolve'
  AND object.schema IS NOT NULL
ORDER BY 1;

-- Comments.
SELECT 'schema identity_resolve has no comment'
WHERE obj_description(:ours, 'pg_namespace') IS NULL;

-- A sequence behind a column is described by the column.
SELECT pg_describe_object('pg_class'::regclass, oid, 0) || ' has no comment'
FROM pg_class c
WHERE relnamespace = :ours
  AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND obj_description(oid, 'pg_class') IS NULL
  AND NOT EXISTS (
      SELECT FROM pg_depend
      WHERE classid = 'pg_class'::regclass AND objid = c.oid
        AND refclassid = 'pg_class'::regclass AND refobjsubid > 0
        AND relkind = 'S' AND deptype IN ('a', 'i'))
ORDER BY 1;

SELECT pg_describe_object('pg_class'::regclass, c.oid, attnum) || ' has no comment'
FROM pg_class c
JOIN pg_attribute ON attrelid = c.oid
WHERE relnamespace = :ours
  AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
  AND attnum > 0 AND NOT attisdropped
  AND col_description(c.oid, attnum) IS NULL
ORDER BY c.relname, attnum;

SELECT pg_describe_object('pg_proc'::regclass, oid, 0) || ' has no comment'
FROM pg_proc
WHERE pronamespace = :ours AND obj_description(oid, 'pg_proc') IS NULL
ORDER BY 1;

-- Types of their own: not the row types of tables, nor arrays.
SELECT pg_describe_object('pg_type'::regclass, t.oid, 0) || ' has no comment'
FROM pg_type t
LEFT JOIN pg_class c ON c.oid = typrelid
WHERE typnamespace = :ours
  AND (typtype <> 'c' OR c.relkind = 'c')
  AND NOT EXISTS (SELECT FROM pg_type element WHERE element.typarray = t.oid)
  AND COALESCE(obj_description(t.oid, 'pg_type'), obj_description(typrelid, 'pg_class')) IS NULL
ORDER BY 1;

-- Grants. A type's default is usage for all, which the schema already denies.
SELECT format('%s on %s is granted to PUBLIC', privilege_type, object)
FROM (
    SELECT pg_describe_object('pg_namespace'::regclass, oid, 0), COALESCE(nspacl, acldefault('n', nspowner))
    FROM pg_namespace WHERE oid = :ours
    UNION ALL
    SELECT pg_describe_object('pg_class'::regclass, oid, 0),
           COALESCE(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))
    FROM pg_class WHERE relnamespace = :ours AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT pg_describe_object('pg_class'::regclass, c.oid, attnum), attacl
    FROM pg_class c JOIN pg_attribute ON attrelid = c.oid
    WHERE relnamespace = :ours AND attacl IS NOT NULL
    UNION ALL
    SELECT pg_describe_object('pg_proc'::regclass, oid, 0), COALESCE(proacl, acldefault('f', proowner))
    FROM pg_proc WHERE pronamespace = :ours
    UNION ALL
    SELECT pg_describe_object('pg_type'::regclass, oid, 0), typacl
    FROM pg_type WHERE typnamespace = :ours AND typacl IS NOT NULL
) AS objects (object, acl)
CROSS JOIN LATERAL aclexplode(acl)
WHERE grantee = 0
ORDER BY 1;

-- A function that runs with its owner's rights must not look where its caller
-- says: pg_temp, which comes first where it is not named, comes last.
SELECT pg_describe_object('pg_proc'::regclass, oid, 0)
       || ' is SECURITY DEFINER but does not pin search_path, pg_temp last'
FROM pg_proc
WHERE pronamespace = :ours AND prosecdef
  AND NOT EXISTS (SELECT FROM unnest(proconfig) AS setting WHERE setting ~ '^search_path=(.*, *"?pg_temp"?|""|'''')$')
ORDER BY 1;

-- Bodies that are parsed when they run find their names by the search_path of
-- whoever runs them. C functions name what they mean, or the tests, which never
-- set a search_path, fail.
SELECT pg_describe_object('pg_proc'::regclass, p.oid, 0) || ' depends on the search_path of its caller'
FROM pg_proc p
JOIN pg_language l ON l.oid = prolang
WHERE pronamespace = :ours
  AND lanname IN ('sql', 'plpgsql')
  AND prosqlbody IS NULL
  AND NOT EXISTS (SELECT FROM unnest(proconfig) AS setting WHERE setting LIKE 'search\_path=%')
ORDER BY 1;
