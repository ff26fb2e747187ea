-- Requests with a key: begun when there is no answer yet.
CREATE TABLE answers (
    client TEXT NOT NULL,
    key    TEXT NOT NULL,
    print  BLOB NOT NULL,
    at     BIGINT NOT NULL,
    answer TEXT,
    PRIMARY KEY (client, key)
);
CREATE INDEX answers_by_age ON answers (at);
