-- AUTOINCREMENT, so that the number of a job is never used again.
CREATE TABLE jobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL,
    client     TEXT,
    number     TEXT,
    created    BIGINT NOT NULL,
    ended      BIGINT,
    receipt_of BIGINT,
    digest     TEXT,
    message    TEXT,
    body       TEXT NOT NULL
);
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_kind ON jobs (kind, created);
CREATE INDEX jobs_by_receipt ON jobs (receipt_of) WHERE receipt_of IS NOT NULL;

CREATE TABLE arrivals (
    server TEXT NOT NULL,
    key    TEXT NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (server, key)
);

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
