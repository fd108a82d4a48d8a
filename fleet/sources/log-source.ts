/** Where log lines come from. Plain data: it goes to the thread that reads it. */
export type LogSource =
  | { readonly kind: 'file'; readonly path: string; readonly bytes: number }
  | { readonly kind: 'stdin'; readonly bytes: number }
  | { readonly kind: 's3'; readonly bucket: string; readonly key: string; readonly bytes: number }

export function sourceName(source: LogSource): string {
  switch (source.kind) {
    case 'file':
      return source.path
    case 'stdin':
      return '-'
    case 's3':
      return `s3://${source.bucket}/${source.key}`
  }
}
