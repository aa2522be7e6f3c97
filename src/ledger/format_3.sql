-- From format 2 to format 3: what a server has to be told of a device before it lets it in, and what servers answered.

ALTER TABLE certificates ADD COLUMN certificate BLOB;    -- DER; NULL: recorded before format 3
ALTER TABLE certificates ADD COLUMN public_key BLOB;     -- SubjectPublicKeyInfo, DER; NULL: recorded before format 3
ALTER TABLE certificates ADD COLUMN identity_data TEXT;  -- a JSON object: what the device will report; NULL: not known
ALTER TABLE certificates ADD COLUMN purpose TEXT;        -- server, authority; NULL: a device's

-- Until now only the command told.
UPDATE certificates SET purpose = 'server' WHERE run IN (SELECT id FROM runs WHERE command = 'ca issue-server');
UPDATE certificates SET purpose = 'authority' WHERE run IN (SELECT id FROM runs WHERE command = 'ca init');

-- What a server answered when it was told of a device: of those with the same certificate and server the one with the
-- highest number counts.
CREATE TABLE preauthorizations (
  certificate INTEGER NOT NULL REFERENCES certificates (id),
  server      TEXT    NOT NULL,
  number      INTEGER NOT NULL,
  state       TEXT    NOT NULL,  -- accepted, known, conflict, rejected
  device_id   TEXT,              -- the server's own name for it
  reason      TEXT,
  at          INTEGER NOT NULL,
  PRIMARY KEY (certificate, server, number)
) WITHOUT ROWID;

DROP VIEW devices;
CREATE VIEW devices AS
  SELECT c.device_id,
         coalesce(o.state, 'issued')                       AS state,
         strftime('%Y-%m-%dT%H:%M:%SZ', v.revoked_at, 'unixepoch') AS revoked_at,
         v.reason                                          AS revoked_for,
         lower(hex(c.serial))                              AS serial,
         lower(hex(c.certificate_sha256))                  AS certificate_sha256,
         lower(hex(c.public_key_sha256))                   AS public_key_sha256,
         strftime('%Y-%m-%dT%H:%M:%SZ', c.not_before, 'unixepoch') AS not_before,
         strftime('%Y-%m-%dT%H:%M:%SZ', c.not_after, 'unixepoch')  AS not_after,
         strftime('%Y-%m-%dT%H:%M:%SZ', c.issued_at, 'unixepoch')  AS issued_at,
         o.file,
         o.reason,
         coalesce(c.purpose, 'device')                     AS purpose,
         c.identity_data,
         c.id                                              AS certificate,
         c.run
    FROM certificates AS c
    LEFT JOIN revocations AS v ON v.certificate = c.id
    LEFT JOIN outcomes AS o
           ON o.certificate = c.id
          AND o.number = (SELECT max(number) FROM outcomes WHERE certificate = c.id);
