DO $$
DECLARE
    setting text;
BEGIN
    FOREACH setting IN ARRAY ARRAY['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',
        'enable_seqscan', 'enable_hashjoin', 'enable_mergejoin', 'jit']
    LOOP
        EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET %I', session_user, current_database(), setting);
    END LOOP;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'the role % may not change its own settings', session_user;
END
$$;
