-- The phone book: its entries, what is gone for some who could see it, and what was done.
CREATE TABLE book (
    id   INTEGER PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE book_gone (
    stamp BIGINT PRIMARY KEY,
    id    BIGINT NOT NULL,
    body  TEXT NOT NULL
);

CREATE TABLE book_history (
    id      BIGINT NOT NULL,
    version BIGINT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (id, version)
) WITHOUT ROWID;

-- One row: the last change, the next number, and up to where what is gone is forgotten.
CREATE TABLE book_state (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    last  BIGINT NOT NULL,
    next  BIGINT NOT NULL,
    floor BIGINT NOT NULL
);
