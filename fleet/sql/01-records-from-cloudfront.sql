-- Polls, and what agents told in them, from CloudFront's own lines. Of the alphabet of a beacon CloudFront escapes the
-- space only, once or twice: both are undone. A poll tells at most three events.
-- A table and no view: the lines are read, and paid for, once. Do it anew for each question, or append by day.
CREATE TABLE fleet_records AS
WITH lines AS (
  SELECT
    try_cast("date" || ' ' || "time" AS timestamp) AS "time",
    try_cast(sc_status AS bigint) AS status,
    try_cast(sc_bytes AS bigint) AS bytes,
    replace(replace(cs_user_agent, '%25', '%'), '%20', ' ') AS agent
  FROM cloudfront_logs
  WHERE cs_method = 'GET'
    AND cs_uri_stem LIKE '%/version.json'
    AND "date" LIKE '____-__-__'
),
beacons AS (
  SELECT
    "time",
    status,
    bytes,
    split_part(agent, '/', 1) AS name,
    split_part(split_part(agent, ' (', 1), '/', 2) AS version,
    split_part(split_part(agent, ' (', 2), ') moult/', 1) || ';' AS said
  FROM lines
  WHERE agent LIKE '%/% (%; %) moult/%'
),
members AS (
  SELECT
    "time",
    status,
    bytes,
    name,
    version,
    split_part(said, ';', 1) AS platform,
    split_part(split_part(said, '; ', 2), ';', 1) AS channel,
    nullif(split_part(split_part(said, '; id=', 2), ';', 1), '') AS id,
    nullif(split_part(split_part(said, '; st=', 2), ';', 1), '') AS state,
    nullif(split_part(split_part(said, '; er=', 2), ';', 1), '') AS error,
    split_part(split_part(said, '; ev=', 2), ';', 1) AS event_1,
    split_part(split_part(said, '; ev=', 3), ';', 1) AS event_2,
    split_part(split_part(said, '; ev=', 4), ';', 1) AS event_3
  FROM beacons
),
known AS (
  SELECT * FROM members
  WHERE id IS NULL OR (length(id) = 16 AND translate(id, '0123456789abcdef', '') = '')
),
told AS (
  SELECT "time", name, version, platform, channel, id, state, error, event_1 AS event FROM known WHERE event_1 <> ''
  UNION ALL
  SELECT "time", name, version, platform, channel, id, state, error, event_2 AS event FROM known WHERE event_2 <> ''
  UNION ALL
  SELECT "time", name, version, platform, channel, id, state, error, event_3 AS event FROM known WHERE event_3 <> ''
)
SELECT
  'poll' AS record,
  "time", status, bytes, id, name, version, platform, channel, state, error,
  CAST(NULL AS bigint) AS event_n,
  CAST(NULL AS varchar) AS event_kind,
  CAST(NULL AS varchar) AS event_version,
  CAST(NULL AS varchar) AS event_detail
FROM known
UNION ALL
SELECT
  'event' AS record,
  "time", CAST(NULL AS bigint) AS status, CAST(NULL AS bigint) AS bytes,
  id, name, version, platform, channel, state, error,
  try_cast(split_part(event, '/', 1) AS bigint) AS event_n,
  split_part(event, '/', 2) AS event_kind,
  split_part(event, '/', 3) AS event_version,
  split_part(event, '/', 4) AS event_detail
FROM told
