// Atom (RFC 4287), for people and bots: what a channel has released. Nothing here is signed, and no agent reads it.

export interface FeedEntry {
  readonly version: string
  /** Of the release statement: nothing else has it, and it never changes. */
  readonly digest: string
  readonly released: string
  readonly changelog: string | undefined
  readonly url: string
}

export interface Feed {
  readonly name: string
  readonly channel: string
  /** Digest of the first root: two projects may have one name. */
  readonly project: string
  readonly updated: string
  /** Where it is served, if that is known. */
  readonly url: string | undefined
  readonly entries: readonly FeedEntry[]
}

/** Also how a feed is known to tell of a release already. */
export function entryId(digest: string): string {
  return `urn:moult:release:${digest}`
}

export function feedText({ name, channel, project, updated, url, entries }: Feed): string {
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    '<feed xmlns="http://www.w3.org/2005/Atom">',
    `  <id>${escapeXml(`urn:moult:feed:${project}:${channel}`)}</id>`,
    `  <title>${escapeXml(`${name} on ${channel}`)}</title>`,
    `  <updated>${escapeXml(updated)}</updated>`,
    `  <author><name>${escapeXml(name)}</name></author>`,
    ...(url === undefined ? [] : [`  <link rel="self" type="application/atom+xml" href="${escapeXml(url)}"/>`]),
    ...entries.flatMap((entry) => entryLines(entry, name)),
    '</feed>',
    '',
  ].join('\n')
}

function entryLines({ version, digest, released, changelog, url }: FeedEntry, name: string): string[] {
  return [
    '  <entry>',
    `    <id>${escapeXml(entryId(digest))}</id>`,
    `    <title>${escapeXml(`${name} ${version}`)}</title>`,
    `    <updated>${escapeXml(released)}</updated>`,
    `    <link rel="alternate" type="application/json" href="${escapeXml(url)}"/>`,
    ...(changelog === undefined ? [] : [`    <content type="text">${escapeXml(changelog)}</content>`]),
    '  </entry>',
  ]
}

/**
 * Text for an element or an attribute. XML has no way to write U+FFFE and U+FFFF; the strict profile has no other character
 * that XML lacks, and no lone surrogate. A parser would make a line feed of a plain CR.
 */
function escapeXml(text: string): string {
  return text.replace(/[&<>"'\r\ufffe\uffff]/g, (character) => ESCAPES[character] ?? '\ufffd')
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\r': '&#13;',
}
