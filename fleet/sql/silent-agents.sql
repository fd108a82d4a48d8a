-- Agents that were not seen for 8 hours before the newest line of the log.
SELECT a.id, a.name, a.version, a.platform, a.channel, a.state, a.error, a.last_seen
FROM fleet_agents a
JOIN fleet_offers o ON o.name = a.name AND o.channel = a.channel
WHERE date_diff('second', a.last_seen, o.now) > 8 * 3600
ORDER BY a.last_seen, a.id
