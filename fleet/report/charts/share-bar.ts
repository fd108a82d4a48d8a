import { html, type Html } from '../html.ts'

export interface BarPart {
  readonly tone: string
  readonly share: number
}

/** Parts side by side, the whole width for a share of 1; what is missing stays empty. */
export function shareBar(parts: readonly BarPart[], height: number): Html {
  let from = 0
  const rects = parts.map(({ tone, share }) => {
    const width = Math.max(0, Math.min(share, 1 - from))
    const rect = html`<rect class="${tone}" x="${percent(from)}" width="${percent(width)}" height="${height}" />`
    from += width
    return width > 0 && rect
  })
  return html`<rect class="empty" width="100%" height="${height}" />${rects}`
}

/** A bar whose figures stand beside it as text. */
export function smallBar(parts: readonly BarPart[]): Html {
  return html`<svg class="bar" width="100%" height="10" aria-hidden="true" focusable="false">
    ${shareBar(parts, 10)}
  </svg>`
}

/** A colour with what it stands for. */
export function swatch(tone: string, label: string): Html {
  return html`<span class="key"
    ><svg width="10" height="10" aria-hidden="true" focusable="false">
      <rect class="${tone}" width="10" height="10" rx="2" /></svg
    >${label}</span
  >`
}

/** From the median to the 95th of a hundred, on a scale from nothing to `max`. */
export function spanBar(median: number, p95: number, max: number): Html {
  const at = (value: number): string => percent(max <= 0 ? 0 : Math.min(1, value / max) * 0.97 + 0.015)
  return html`<svg class="bar" width="100%" height="12" aria-hidden="true" focusable="false">
    <line class="rail" x1="0" x2="100%" y1="6" y2="6" />
    <line class="reach" x1="${at(median)}" x2="${at(p95)}" y1="6" y2="6" />
    <circle class="s0" cx="${at(median)}" cy="6" r="5" />
    <circle class="s1" cx="${at(p95)}" cy="6" r="4" />
  </svg>`
}

function percent(share: number): string {
  return `${Math.round(share * 10_000) / 100}%`
}
