-- From format 1 to format 2: revocations, and the CRLs that told of them.

-- Certificates of one CA belong together by its key, which a renewed CA certificate keeps. NULL: not known, as in
-- runs of format 1.
ALTER TABLE runs ADD COLUMN authority_key_sha256 BLOB;  -- of the CA's SubjectPublicKeyInfo

-- A certificate that is not to be accepted any more. There is no way back.
CREATE TABLE revocations (
  certificate INTEGER PRIMARY KEY REFERENCES certificates (id),
  revoked_at  INTEGER NOT NULL,
  reason      TEXT    NOT NULL,  -- RFC 5280's word: keyCompromise
  run         INTEGER NOT NULL REFERENCES runs (id)
);

-- Every CRL that was begun. Its number is used up, whether or not the file was finished.
CREATE TABLE crls (
  authority_key_sha256 BLOB    NOT NULL,
  number               INTEGER NOT NULL,
  this_update          INTEGER NOT NULL,
  next_update          INTEGER NOT NULL,
  entries              INTEGER NOT NULL,
  PRIMARY KEY (authority_key_sha256, number)
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
         c.id                                              AS certificate,
         c.run
    FROM certificates AS c
    LEFT JOIN revocations AS v ON v.certificate = c.id
    LEFT JOIN outcomes AS o
           ON o.certificate = c.id
          AND o.number = (SELECT max(number) FROM outcomes WHERE certificate = c.id);
