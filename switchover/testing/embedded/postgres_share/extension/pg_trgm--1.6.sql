\echo Use "CREATE EXTENSION pg_trgm" to load this file. \quit

-- Prefect creates indexes with gin_trgm_ops to make "name contains" searches fast. They are
-- an optimisation: without one the planner reads the table, with the same result. This
-- operator class has no operators, so the planner never picks an index made with it.
--
-- GIN takes a null pointer from its extract function as "this row has no keys". void_in
-- returns just that, whatever its arguments; it is part of every PostgreSQL.
CREATE FUNCTION gin_extract_value_trgm(text, internal) RETURNS internal
    AS 'void_in' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION gin_extract_query_trgm(text, internal, int2, internal, internal, internal, internal)
    RETURNS internal
    AS 'void_in' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION gin_trgm_consistent(internal, int2, text, int4, internal, internal, internal, internal)
    RETURNS bool
    AS 'void_in' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;

CREATE OPERATOR CLASS gin_trgm_ops FOR TYPE text USING gin AS
    FUNCTION 1 btint4cmp(int4, int4),
    FUNCTION 2 gin_extract_value_trgm(text, internal),
    FUNCTION 3 gin_extract_query_trgm(text, internal, int2, internal, internal, internal, internal),
    FUNCTION 4 gin_trgm_consistent(internal, int2, text, int4, internal, internal, internal, internal),
    STORAGE int4;
