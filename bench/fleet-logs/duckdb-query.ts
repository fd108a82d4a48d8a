/** The newest state of each agent from CloudFront's own lines, as one would ask DuckDB for it. */
export function newestStateQuery(pattern: string): string {
  const columns = Array.from({ length: 33 }, (_, index) => `'c${index}': 'VARCHAR'`).join(', ')
  const options = `delim = '\\t', quote = '', escape = '', header = false, skip = 2, columns = {${columns}}`
  return `
    WITH polls AS (
      SELECT c0 || c1 AS seen, replace(replace(c10, '%25', '%'), '%20', ' ') AS agent
      FROM read_csv('${pattern}', ${options})
      WHERE c7 LIKE '%/version.json'
    ),
    agents AS (
      SELECT
        split_part(split_part(agent, '; id=', 2), ';', 1) AS id,
        max_by(split_part(split_part(agent, ' ', 1), '/', 2), seen) AS version,
        max_by(split_part(split_part(split_part(agent, '; st=', 2), ';', 1), ')', 1), seen) AS state,
        max(seen) AS last
      FROM polls GROUP BY 1
    )
    SELECT version, count(*) AS agents FROM agents GROUP BY version ORDER BY 1`
}
