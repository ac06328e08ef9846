-- The same tables for SQLite and PostgreSQL; {serial} is the only word that differs. Booleans are 0 and 1, absent texts are ''.

CREATE TABLE kitchens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    lat_e6 BIGINT NOT NULL,             -- millionths of a degree; 200000000: no place is known
    lon_e6 BIGINT NOT NULL,
    mode TEXT NOT NULL,                 -- pull or poll
    urls TEXT NOT NULL,                 -- JSON list, for poll
    api_token TEXT NOT NULL,            -- what the backend shows the kitchen, for poll
    retired BIGINT NOT NULL,
    beat BIGINT NOT NULL,               -- raised by every exchange before it reads: see watch.rs
    lease_ms BIGINT NOT NULL,           -- the longest lease that was ever granted
    stamp BIGINT NOT NULL,              -- grows when what stands below, or the registration, changes
    series TEXT NOT NULL,
    cursor BIGINT NOT NULL,             -- outcomes of the series up to here are kept
    logs_cursor BIGINT NOT NULL,
    report TEXT NOT NULL,               -- JSON, '' before the first
    menu TEXT NOT NULL,                 -- JSON list: the recipes of the last report that had any
    contact_wall BIGINT NOT NULL,
    configuration BIGINT NOT NULL,
    configuration_refused TEXT NOT NULL
);

CREATE TABLE orders (
    id TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,                 -- JSON, as the client stated it
    client TEXT NOT NULL,
    pizzas BIGINT NOT NULL,
    state TEXT NOT NULL,
    kitchen TEXT NOT NULL,
    assignment BIGINT NOT NULL,
    cancel_requested BIGINT NOT NULL,
    reason TEXT NOT NULL,
    returned_by TEXT NOT NULL,
    revision BIGINT NOT NULL,           -- every change is a compare-and-set on it
    placed_wall BIGINT NOT NULL,
    changed_wall BIGINT NOT NULL
);
CREATE INDEX orders_by_kitchen ON orders (kitchen, state);
CREATE INDEX orders_by_state ON orders (state, placed_wall);
CREATE INDEX orders_by_time ON orders (placed_wall, id);

CREATE TABLE history (
    order_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    wall BIGINT NOT NULL,
    state TEXT NOT NULL,
    kitchen TEXT NOT NULL,              -- whose it is from here on
    assignment BIGINT NOT NULL,
    what TEXT NOT NULL,
    why TEXT NOT NULL,                  -- JSON: why this kitchen
    PRIMARY KEY (order_id, revision)
);

-- What other instances must notice; read by its key, pruned after a while.
CREATE TABLE changes (
    seq {serial},
    kitchen TEXT NOT NULL,
    order_id TEXT NOT NULL,
    wall BIGINT NOT NULL
);

CREATE TABLE tokens (
    hash TEXT NOT NULL PRIMARY KEY,     -- SHA-256 of the token: the token itself is nowhere
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    created_wall BIGINT NOT NULL
);
CREATE INDEX tokens_by_name ON tokens (role, name);

CREATE TABLE logs (
    seq {serial},
    kitchen TEXT NOT NULL,
    position BIGINT NOT NULL,           -- the kitchen's log index
    wall BIGINT NOT NULL,
    received_wall BIGINT NOT NULL,
    event TEXT NOT NULL,
    order_id TEXT NOT NULL,
    device TEXT NOT NULL,
    line TEXT NOT NULL
);
CREATE INDEX logs_by_kitchen ON logs (kitchen, seq);
CREATE INDEX logs_by_order ON logs (order_id, seq);
CREATE INDEX logs_by_age ON logs (received_wall);

CREATE TABLE escalations (
    seq {serial},
    kitchen TEXT NOT NULL,
    device TEXT NOT NULL,
    failures BIGINT NOT NULL,
    within_ms BIGINT NOT NULL,
    wall BIGINT NOT NULL,
    acknowledged_by TEXT NOT NULL,
    acknowledged_wall BIGINT NOT NULL
);
CREATE INDEX escalations_open ON escalations (acknowledged_by, kitchen);

CREATE TABLE configurations (
    kitchen TEXT NOT NULL PRIMARY KEY,  -- '' is for all
    version BIGINT NOT NULL,
    body TEXT NOT NULL
);

-- The document for all is there from the start, so that its row can be locked.
INSERT INTO configurations (kitchen, version, body) VALUES ('', 0, '{}');

-- Which instance polls a kitchen; taken over when another instance has seen its beat stand still.
CREATE TABLE claims (
    kitchen TEXT NOT NULL PRIMARY KEY,
    instance TEXT NOT NULL,
    beat BIGINT NOT NULL
);
