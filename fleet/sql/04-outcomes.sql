-- What became of each version on each agent: the last thing the agent said of it. An event that was told twice is one.
CREATE VIEW fleet_outcomes AS
WITH events AS (
  SELECT
    id,
    event_n,
    min_by(event_kind, "time") AS kind,
    min_by(event_version, "time") AS version,
    min_by(event_detail, "time") AS detail,
    min("time") AS told
  FROM fleet_records
  WHERE record = 'event' AND id IS NOT NULL AND event_n IS NOT NULL
  GROUP BY id, event_n
)
SELECT
  id,
  version,
  max_by(kind, event_n) AS kind,
  max_by(detail, event_n) AS detail,
  max_by(told, event_n) AS told
FROM events
GROUP BY id, version
