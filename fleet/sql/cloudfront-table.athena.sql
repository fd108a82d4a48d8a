-- The bucket into which CloudFront delivers its standard logs, as a table. For Athena; on Trino with the Hive connector
-- the same columns, all as varchar, over a CSV table.
-- Replace the location; then run records-from-cloudfront.sql, and the views that stand on it.
CREATE EXTERNAL TABLE IF NOT EXISTS cloudfront_logs (
  `date` string,
  `time` string,
  x_edge_location string,
  sc_bytes string,
  c_ip string,
  cs_method string,
  cs_host string,
  cs_uri_stem string,
  sc_status string,
  cs_referrer string,
  cs_user_agent string,
  cs_uri_query string,
  cs_cookie string,
  x_edge_result_type string,
  x_edge_request_id string,
  x_host_header string,
  cs_protocol string,
  cs_bytes string,
  time_taken string,
  x_forwarded_for string,
  ssl_protocol string,
  ssl_cipher string,
  x_edge_response_result_type string,
  cs_protocol_version string,
  fle_status string,
  fle_encrypted_fields string,
  c_port string,
  time_to_first_byte string,
  x_edge_detailed_result_type string,
  sc_content_type string,
  sc_content_len string,
  sc_range_start string,
  sc_range_end string
)
ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t'
LOCATION 's3://my-logs/cloudfront/'
TBLPROPERTIES ('skip.header.line.count' = '2')
