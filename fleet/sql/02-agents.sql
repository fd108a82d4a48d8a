-- Each agent as of its newest poll. `version_rank` sorts versions by their three numbers, and releases behind their own
-- candidates; candidates among themselves are equal.
CREATE VIEW fleet_agents AS
WITH newest AS (
  SELECT
    id,
    max_by(name, "time") AS name,
    max_by(version, "time") AS version,
    max_by(platform, "time") AS platform,
    max_by(channel, "time") AS channel,
    max_by(coalesce(state, ''), "time") AS state,
    max_by(coalesce(error, ''), "time") AS error,
    min("time") AS first_seen,
    max("time") AS last_seen,
    count(*) AS polls
  FROM fleet_records
  WHERE record = 'poll' AND id IS NOT NULL
  GROUP BY id
)
SELECT
  *,
  ((coalesce(try_cast(split_part(version, '.', 1) AS bigint), -1) * 1000000
    + coalesce(try_cast(split_part(version, '.', 2) AS bigint), 0)) * 1000000
    + coalesce(try_cast(split_part(split_part(split_part(version, '.', 3), '-', 1), '+', 1) AS bigint), 0)) * 2
    + CASE WHEN split_part(version, '+', 1) LIKE '%-%' THEN 0 ELSE 1 END AS version_rank
FROM newest
