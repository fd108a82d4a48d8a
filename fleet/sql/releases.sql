-- How each version fared: each agent once, by the last thing it said of the version. Times to update are seconds, by
-- nearest rank.
WITH timed AS (
  SELECT
    version,
    try_cast(detail AS bigint) AS seconds,
    row_number() OVER (PARTITION BY version ORDER BY try_cast(detail AS bigint)) AS place,
    count(*) OVER (PARTITION BY version) AS places
  FROM fleet_outcomes
  WHERE kind = 'updated'
),
ranks AS (
  SELECT
    version,
    min(seconds) FILTER (WHERE place >= places * 0.5) AS median_seconds,
    min(seconds) FILTER (WHERE place >= places * 0.95) AS p95_seconds,
    max(seconds) AS max_seconds
  FROM timed
  GROUP BY version
),
outcomes AS (
  SELECT
    version,
    count(*) FILTER (WHERE kind = 'updated') AS updated,
    count(*) FILTER (WHERE kind = 'rolled-back') AS rolled_back,
    count(*) FILTER (WHERE kind = 'failed') AS failed
  FROM fleet_outcomes
  GROUP BY version
),
seen AS (
  SELECT version, min(first_seen) AS first_seen, count(*) AS agents_ever
  FROM fleet_visits
  GROUP BY version
)
SELECT
  coalesce(s.version, o.version) AS version,
  s.first_seen,
  coalesce(s.agents_ever, 0) AS agents_ever,
  coalesce(o.updated, 0) AS updated,
  coalesce(o.rolled_back, 0) AS rolled_back,
  coalesce(o.failed, 0) AS failed,
  CAST(o.rolled_back + o.failed AS double) / nullif(o.updated + o.rolled_back + o.failed, 0) AS failure_rate,
  r.median_seconds,
  r.p95_seconds,
  r.max_seconds
FROM seen s
FULL JOIN outcomes o ON o.version = s.version
LEFT JOIN ranks r ON r.version = coalesce(s.version, o.version)
ORDER BY 1
