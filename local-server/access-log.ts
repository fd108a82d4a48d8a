// One line in the combined log format of nginx and Apache, so that `moult fleet` and every log tool read it.

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
// As nginx escapes: what could end the field or the line, and all that is not ASCII. Node gives header bytes as
// characters up to 0xff, so each character here is one byte of the wire.
const UNSAFE = /[^\u0020-\u007e]|["\\]/g

export interface AccessEntry {
  readonly remoteAddress: string | undefined
  /** When the request ended. */
  readonly time: Date
  readonly requestLine: string
  readonly status: number
  /** Of the body. */
  readonly bytesSent: number
  readonly referer: string | undefined
  readonly userAgent: string | undefined
}

/** Without the line end. The time is in UTC. */
export function formatAccessLine(entry: AccessEntry): string {
  return [
    // A socket that listens on `::` names its IPv4 peers this way; no log tool expects it.
    entry.remoteAddress?.replace(/^::ffff:/, '') ?? '-',
    '-',
    '-',
    `[${formatTime(entry.time)}]`,
    quoteField(entry.requestLine),
    entry.status,
    entry.bytesSent,
    quoteField(entry.referer),
    quoteField(entry.userAgent),
  ].join(' ')
}

function formatTime(time: Date): string {
  const day = String(time.getUTCDate()).padStart(2, '0')
  const month = MONTHS[time.getUTCMonth()] ?? '-'
  return `${day}/${month}/${time.getUTCFullYear()}:${time.toISOString().slice(11, 19)} +0000`
}

function quoteField(text: string | undefined): string {
  if (text === undefined || text === '') return '"-"'
  return `"${text.replace(UNSAFE, escapeCharacter)}"`
}

function escapeCharacter(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
