SELECT date_trunc('hour', "time") AS hour, count(*) AS polls, sum(bytes) AS bytes
FROM fleet_records
WHERE record = 'poll'
GROUP BY date_trunc('hour', "time")
ORDER BY hour
