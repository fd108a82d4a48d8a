-- What each channel of each program offers: the newest version that an agent of it runs, and since when. `now` is the
-- newest line of the log: agents are not silent because their lines are not here yet.
CREATE VIEW fleet_offers AS
WITH newest AS (
  SELECT name, channel, max_by(version, version_rank) AS version, max(version_rank) AS version_rank
  FROM fleet_agents
  GROUP BY name, channel
),
dated AS (
  SELECT n.name, n.channel, n.version, n.version_rank, min(v.first_seen) AS offered_since
  FROM newest n
  JOIN fleet_visits v ON v.name = n.name AND v.channel = n.channel AND v.version = n.version
  GROUP BY n.name, n.channel, n.version, n.version_rank
)
SELECT dated.*, (SELECT max("time") FROM fleet_records) AS now
FROM dated
