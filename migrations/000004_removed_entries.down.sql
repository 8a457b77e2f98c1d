DROP INDEX entries_removed;
