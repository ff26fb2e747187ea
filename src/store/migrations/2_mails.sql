-- Small mails as they came in; large ones are files.
CREATE TABLE mails (
    name TEXT PRIMARY KEY,
    body BLOB NOT NULL
);
