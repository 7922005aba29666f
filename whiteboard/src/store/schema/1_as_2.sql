-- What queries of version 2 need, in front of the tables of version 1. For reading only.
CREATE TEMP VIEW boards AS
    SELECT id, dialect, code, created, NULL AS title, created AS changed, NULL AS deleted, NULL AS teacher, NULL AS look
    FROM main.boards;
CREATE TEMP TABLE bases (board INTEGER PRIMARY KEY, seq INTEGER, time INTEGER, body TEXT);
CREATE TEMP TABLE versions (id INTEGER PRIMARY KEY, board INTEGER, seq INTEGER, time INTEGER, name TEXT, author TEXT, body TEXT);
CREATE TEMP TABLE files (id INTEGER PRIMARY KEY, sha256 BLOB, bytes INTEGER, mime TEXT, created INTEGER);
CREATE TEMP TABLE chunks (file INTEGER, n INTEGER, body BLOB);
CREATE TEMP TABLE board_files (board INTEGER, name TEXT, file INTEGER, created INTEGER);
CREATE TEMP TABLE meta (key TEXT PRIMARY KEY, value TEXT);
