-- Version 1: boards, their operations and snapshots.
-- All times are milliseconds since 1970.
CREATE TABLE boards (
    id      INTEGER PRIMARY KEY,
    dialect TEXT NOT NULL,
    code    TEXT NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (dialect, code)
) STRICT;
CREATE TABLE operations (
    id    INTEGER PRIMARY KEY,  -- the one order of all boards
    board INTEGER NOT NULL REFERENCES boards (id),
    seq   INTEGER NOT NULL,     -- 1, 2, 3 … in each board
    time  INTEGER NOT NULL,
    body  TEXT NOT NULL,        -- a record of the board's dialect
    UNIQUE (board, seq)
) STRICT;
CREATE TABLE snapshots (
    board INTEGER PRIMARY KEY REFERENCES boards (id),
    seq   INTEGER NOT NULL,     -- the last operation that is in it
    body  TEXT NOT NULL         -- the whole board, as its dialect writes it
) STRICT;
