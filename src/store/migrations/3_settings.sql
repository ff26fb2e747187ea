-- The registered settings of fax servers; versions are written once.
CREATE TABLE settings_versions (
    server TEXT NOT NULL,
    number BIGINT NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (server, number)
);

CREATE TABLE settings_standing (
    server TEXT PRIMARY KEY,
    body   TEXT NOT NULL
);
