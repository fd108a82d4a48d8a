import { isoText, minuteText } from '../figure-text.ts'
import { html, type Html } from '../html.ts'

export function timeCell(timeMs: number): Html {
  const iso = isoText(timeMs)
  return iso === undefined ? html`${minuteText(timeMs)}` : html`<time datetime="${iso}">${minuteText(timeMs)}</time>`
}
