-- How far the events of each webhook have come, and those that wait.
CREATE TABLE webhooks (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE webhook_events (
    hook     TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    event    TEXT NOT NULL,
    at       BIGINT NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (hook, sequence)
);
