-- Versions of the configuration. AUTOINCREMENT, so that a number is never used again.
CREATE TABLE config_versions (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    at      BIGINT NOT NULL,
    author  TEXT NOT NULL,
    reason  TEXT NOT NULL,
    body    TEXT NOT NULL,
    settled INTEGER NOT NULL
);
