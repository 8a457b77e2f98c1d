-- The parameters that the sessions of Lockbox need. They are set on the role that migrates, for this database only. The
-- server verifies them when it starts. If the server uses another role, it sets them on that role. A setting that is
-- already stored is not set again, because two concurrent changes of one role fail.
DO $$
DECLARE
    setting text[];
BEGIN
    FOREACH setting SLICE 1 IN ARRAY ARRAY[
        ['statement_timeout', '10s'],
        ['lock_timeout', '5s'],
        ['idle_in_transaction_session_timeout', '10s'],
        ['enable_seqscan', 'off'],
        ['enable_hashjoin', 'off'],
        ['enable_mergejoin', 'off'],
        ['jit', 'off']
    ] LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_db_role_setting r JOIN pg_roles u ON u.oid = r.setrole
                JOIN pg_database d ON d.oid = r.setdatabase
            WHERE u.rolname = session_user AND d.datname = current_database()
                AND setting[1] || '=' || setting[2] = ANY (r.setconfig));
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET %I = %L', session_user, current_database(), setting[1],
            setting[2]);
    END LOOP;
EXCEPTION
    -- A role that acts as another role may lack the right to change its own settings.
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'the role % may not change its own settings', session_user;
END
$$;
