-- Agents that are seen, and have been older than what is offered for more than 48 hours. One that waits for its stage
-- of the rollout is not stuck.
SELECT a.id, a.name, a.version, a.platform, a.channel, a.state, a.error, a.last_seen, v.first_seen AS on_version_since
FROM fleet_agents a
JOIN fleet_offers o ON o.name = a.name AND o.channel = a.channel
JOIN fleet_visits v ON v.id = a.id AND v.version = a.version
WHERE a.version_rank < o.version_rank
  AND a.state <> 'waiting'
  AND date_diff('second', a.last_seen, o.now) <= 8 * 3600
  AND date_diff('second', greatest(o.offered_since, a.first_seen), o.now) > 48 * 3600
ORDER BY v.first_seen, a.id
