-- The ledger, format 1; format_2.sql and those after it lead on from here. docs/ledger.md explains it with an example.
--
-- Digests and serials are blobs, times are seconds since 1970 in UTC, ids of rows count upwards and are never used
-- again. Nothing is deleted, and but for the end of a run nothing is changed. There is no place for a private key.

-- One run of a command that issues certificates. A run without an end is still at work, or was killed.
CREATE TABLE runs (
  id               INTEGER PRIMARY KEY,
  tool_version     TEXT    NOT NULL,
  command          TEXT    NOT NULL,
  manifest_sha256  BLOB,             -- NULL: a run without a manifest
  authority_sha256 BLOB,             -- of the CA certificate
  started_at       INTEGER NOT NULL,
  ended_at         INTEGER,
  exit_status      INTEGER
);

-- Every certificate that was ever signed, recorded before anything that holds it can be seen.
CREATE TABLE certificates (
  id                 INTEGER PRIMARY KEY,
  run                INTEGER NOT NULL REFERENCES runs (id),
  device_id          TEXT    NOT NULL,
  subject            TEXT    NOT NULL,
  serial             BLOB    NOT NULL,
  certificate_sha256 BLOB    NOT NULL,
  public_key_sha256  BLOB    NOT NULL,  -- of the SubjectPublicKeyInfo
  not_before         INTEGER NOT NULL,
  not_after          INTEGER NOT NULL,
  key_kind           TEXT    NOT NULL,
  issued_at          INTEGER NOT NULL
);

CREATE INDEX certificates_by_device ON certificates (device_id);

-- To find a serial or a key that comes a second time, which means that the random number generator has failed: the first
-- eight bytes, as a number, of the serial and of the key digest of every certificate up to merged.up_to. Those after it
-- are found by looking at them. (Not UNIQUE indices, because every insert would fall on another page of them.)
CREATE TABLE fingerprints (
  prefix      INTEGER NOT NULL,
  certificate INTEGER NOT NULL,
  PRIMARY KEY (prefix, certificate)
) WITHOUT ROWID;

CREATE TABLE merged (up_to INTEGER NOT NULL);  -- always one row
INSERT INTO merged VALUES (0);

-- What became of a certificate: the one with the highest number counts, the others are its history.
-- WITHOUT ROWID keeps them in the order of the certificates, next to each other, and saves an index.
CREATE TABLE outcomes (
  certificate INTEGER NOT NULL REFERENCES certificates (id),
  number      INTEGER NOT NULL,
  state       TEXT    NOT NULL,  -- placed, failed, superseded, lost
  at          INTEGER NOT NULL,
  file        TEXT,
  digest      BLOB,              -- of the overlay or the image
  reason      TEXT,
  PRIMARY KEY (certificate, number)
) WITHOUT ROWID;

-- The same for people.
CREATE VIEW devices AS
  SELECT c.device_id,
         coalesce(o.state, 'issued')                       AS state,
         lower(hex(c.serial))                              AS serial,
         lower(hex(c.certificate_sha256))                  AS certificate_sha256,
         lower(hex(c.public_key_sha256))                   AS public_key_sha256,
         strftime('%Y-%m-%dT%H:%M:%SZ', c.not_before, 'unixepoch') AS not_before,
         strftime('%Y-%m-%dT%H:%M:%SZ', c.not_after, 'unixepoch')  AS not_after,
         strftime('%Y-%m-%dT%H:%M:%SZ', c.issued_at, 'unixepoch')  AS issued_at,
         o.file,
         o.reason,
         c.id                                              AS certificate,
         c.run
    FROM certificates AS c
    LEFT JOIN outcomes AS o
           ON o.certificate = c.id
          AND o.number = (SELECT max(number) FROM outcomes WHERE certificate = c.id);
