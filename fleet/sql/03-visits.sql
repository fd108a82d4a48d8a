-- On which versions each agent was seen, and from when to when.
CREATE VIEW fleet_visits AS
SELECT
  id,
  max_by(name, "time") AS name,
  max_by(channel, "time") AS channel,
  version,
  min("time") AS first_seen,
  max("time") AS last_seen
FROM fleet_records
WHERE record = 'poll' AND id IS NOT NULL
GROUP BY id, version
