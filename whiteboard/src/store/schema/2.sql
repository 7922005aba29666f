-- Version 2: titles, secrets, deletion, history that is folded, files, accounts.
ALTER TABLE boards ADD COLUMN title   TEXT;
ALTER TABLE boards ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;  -- last operation; up to some seconds behind while in use
ALTER TABLE boards ADD COLUMN deleted INTEGER;                     -- null: it is not
ALTER TABLE boards ADD COLUMN teacher BLOB;                        -- SHA-256 of the secret; null: it has none
ALTER TABLE boards ADD COLUMN look    BLOB;
UPDATE boards SET changed = coalesce((SELECT max(time) FROM operations WHERE board = boards.id), created);

-- What compaction keeps in the place of single operations: the log of a board begins behind its base. Operations up to
-- `seq` that are still there are leftovers of a compaction that is under way.
CREATE TABLE bases (
    board INTEGER PRIMARY KEY REFERENCES boards (id) ON DELETE CASCADE,
    seq   INTEGER NOT NULL,
    time  INTEGER NOT NULL,     -- of the last operation in it
    body  TEXT NOT NULL
) STRICT;
-- Moments that somebody gave a name; kept for as long as the board.
CREATE TABLE versions (
    id     INTEGER PRIMARY KEY,
    board  INTEGER NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
    seq    INTEGER NOT NULL,
    time   INTEGER NOT NULL,
    name   TEXT NOT NULL,
    author TEXT,
    body   TEXT NOT NULL
) STRICT;
CREATE INDEX versions_of_board ON versions (board, seq);

-- Images, each content once. A row in `files` comes last: chunks without one are an upload that is under way or was
-- broken off.
CREATE TABLE files (
    id      INTEGER PRIMARY KEY,
    sha256  BLOB NOT NULL UNIQUE,
    bytes   INTEGER NOT NULL,
    mime    TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE TABLE chunks (
    file INTEGER NOT NULL,
    n    INTEGER NOT NULL,      -- 0, 1, 2 …
    body BLOB NOT NULL,         -- 256 KiB, the last one less
    PRIMARY KEY (file, n)
) STRICT;
CREATE TABLE board_files (
    board   INTEGER NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
    name    TEXT NOT NULL,      -- what elements call it
    file    INTEGER NOT NULL REFERENCES files (id),
    created INTEGER NOT NULL,
    UNIQUE (board, name)
) STRICT;
CREATE INDEX boards_of_file ON board_files (file);

CREATE TABLE users (
    id       INTEGER PRIMARY KEY,
    email    TEXT NOT NULL UNIQUE,
    username TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,     -- argon2id, as a PHC string
    color    TEXT NOT NULL,
    created  INTEGER NOT NULL
) STRICT;
CREATE TABLE sessions (
    token   BLOB PRIMARY KEY,   -- SHA-256 of what the client has
    user    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    seen    INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_of_user ON sessions (user);
CREATE TABLE roles (
    board INTEGER NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
    user  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role  TEXT NOT NULL,
    PRIMARY KEY (board, user)
) STRICT;

-- One value a key; `epoch` names the life of this database.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
