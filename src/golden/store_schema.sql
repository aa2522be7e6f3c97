-- The overlay store: one file per batch, docs/overlays.md has a worked example.
-- Blobs of one to three kilobytes: pages of 16 KiB waste a seventh as much as pages of 4 KiB do,
-- and halve the time of an insertion.
PRAGMA page_size = 16384;
PRAGMA application_id = 0x494D504F; -- 'IMPO'
PRAGMA user_version = 1;

-- What all overlays need to become images: one row.
CREATE TABLE golden (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  base_path TEXT NOT NULL,              -- absolute; where the base image was last seen
  base_size_bytes INTEGER NOT NULL,
  base_digest BLOB NOT NULL CHECK (length(base_digest) = 32),     -- content digest, SHA-256
  golden_digest BLOB NOT NULL CHECK (length(golden_digest) = 32),
  golden_patch BLOB NOT NULL,           -- base image -> golden image
  bmap INTEGER NOT NULL CHECK (bmap IN (0, 1))                    -- write a .bmap beside each image
) STRICT;

-- One row per device, in the order they were stored: rows are only ever added at the end, so a
-- transaction writes its own pages and hardly any others.
CREATE TABLE device (
  ordinal INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  image_name TEXT NOT NULL,             -- the file name that the image sink would have used
  overlay BLOB NOT NULL                 -- golden image -> this device's image; holds the private key
) STRICT;
