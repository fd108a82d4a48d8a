// Controls (an escape sequence rewrites a terminal), marks that change the direction of what follows or have no width
// (a name that reads as another), separators that break a line, and halves of a character.
const INVISIBLE =
  /[\0-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** Text of a log as a person may see it: nothing in it acts, hides or turns around. */
export function visibleText(text: string): string {
  return text.replace(INVISIBLE, '\ufffd')
}
