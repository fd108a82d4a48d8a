// What a file system sees of the updater's work, one change at a time. Paths are relative to the directory that a
// recording is about; the bytes of writes are kept.

/** An operation that has happened, in the order in which it did. */
export type Operation =
  | { readonly kind: 'create'; readonly path: string; readonly mode: number }
  | { readonly kind: 'write'; readonly path: string; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  | { readonly kind: 'fsync'; readonly path: string }
  | { readonly kind: 'chmod'; readonly path: string; readonly mode: number }
  | { readonly kind: 'touch'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'mkdir'; readonly path: string; readonly mode: number }
  | { readonly kind: 'rmdir'; readonly path: string }
  | { readonly kind: 'fsync-directory'; readonly path: string }
  /** Changes nothing: from here on the one who works has been told something, such as that a version is installed. */
  | { readonly kind: 'mark'; readonly name: string }

export function describeOperation(operation: Operation): string {
  const { kind } = operation
  if (kind === 'mark') return `mark ${operation.name}`
  if (kind === 'rename') return `rename ${operation.path} to ${operation.to}`
  if (kind === 'write') return `write ${operation.path} ${operation.at}+${operation.bytes.length}`
  return `${kind} ${operation.path}`
}
