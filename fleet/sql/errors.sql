-- What the agents that are seen complain of, by code without `ERR_`.
SELECT a.name, a.error, count(*) AS agents
FROM fleet_agents a
JOIN fleet_offers o ON o.name = a.name AND o.channel = a.channel
WHERE a.error <> '' AND date_diff('second', a.last_seen, o.now) <= 8 * 3600
GROUP BY a.name, a.error
ORDER BY agents DESC, a.error
