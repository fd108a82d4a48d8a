-- Agents that were seen in the last 8 hours, by what they run.
SELECT a.name, a.version, a.platform, a.channel, a.state, count(*) AS agents
FROM fleet_agents a
JOIN fleet_offers o ON o.name = a.name AND o.channel = a.channel
WHERE date_diff('second', a.last_seen, o.now) <= 8 * 3600
GROUP BY a.name, a.version, a.platform, a.channel, a.state
ORDER BY agents DESC, a.name, a.version, a.platform, a.channel, a.state
