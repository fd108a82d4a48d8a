-- What `--parquet` has written, copied to a bucket, as a table; it has the columns of the view fleet_records, so the
-- other views stand on it as they are.
-- Replace the location.
CREATE EXTERNAL TABLE IF NOT EXISTS fleet_records (
  `time` timestamp,
  status bigint,
  bytes bigint,
  event_n bigint,
  record string,
  id string,
  name string,
  version string,
  platform string,
  channel string,
  state string,
  error string,
  event_kind string,
  event_version string,
  event_detail string
)
STORED AS PARQUET
LOCATION 's3://my-logs/fleet/'
