-- How many agents were first seen on a version, hour by hour; the sum over time is the adoption.
SELECT version, date_trunc('hour', first_seen) AS hour, count(*) AS agents
FROM fleet_visits
GROUP BY version, date_trunc('hour', first_seen)
ORDER BY version, hour
