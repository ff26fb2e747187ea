-- One line for each request. AUTOINCREMENT, so that a number that was cut off leaves a gap.
CREATE TABLE audit (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    at   BIGINT NOT NULL,
    body TEXT NOT NULL,
    hash TEXT NOT NULL
);

-- Servers that somebody has drained.
CREATE TABLE drained (
    server TEXT PRIMARY KEY,
    at     BIGINT NOT NULL
);
