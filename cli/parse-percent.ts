/** `25` and `25%`; NaN for other text, which the release side refuses with the reason. */
export function parsePercent(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text.replace(/%$/, '') || Number.NaN)
}
