// Tables of the report. On a narrow page each row becomes a card, and the cells say their own heading.

import { html, type Html, type HtmlValue } from './html.ts'

/** Rows of agents that are shown at most; the rest is counted. */
export const ROWS_MAX = 200
/** Rows that are open to the eye; those after them are behind a summary. */
const ROWS_OPEN = 12

export interface Column<T> {
  readonly head: string
  readonly cell: (row: T) => HtmlValue
  /** Figures stand at the right; a bar takes what room there is. */
  readonly kind?: 'figure' | 'bar'
}

export interface TableOptions<T> {
  /** What the table is, for people who cannot see where it stands. */
  readonly caption: string
  /** The first is the head of its row. */
  readonly columns: readonly Column<T>[]
  readonly rows: readonly T[]
  /** How many there are in all, where not all of them were handed over. */
  readonly total?: number
}

export function tableOf<T>(options: TableOptions<T>): Html {
  const { caption, columns, rows, total = rows.length } = options
  const shown = rows.slice(0, ROWS_MAX)
  const rest = Math.max(total, rows.length) - shown.length
  const open = shown.length <= ROWS_OPEN + 5 ? shown : shown.slice(0, ROWS_OPEN)
  const folded = shown.slice(open.length)
  return html`${plainTable(caption, columns, open)}${
    folded.length > 0 &&
    html`<details>
      <summary>${folded.length} more rows</summary>
      ${plainTable(`${caption}, continued`, columns, folded)}
    </details>`
  }${rest > 0 && html`<p class="rest">and ${rest.toLocaleString('en-GB')} more, which are not shown here</p>`}`
}

// A card is no row to a browser any more, once `display` is another: the roles say that it still is.
function plainTable<T>(caption: string, columns: readonly Column<T>[], rows: readonly T[]): Html {
  return html`<table role="table">
    <caption class="unseen">
      ${caption}
    </caption>
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map(({ head, kind }) => html`<th role="columnheader" scope="col" class="${kind}">${head}</th>`)}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map(
        (row) =>
          html`<tr role="row">
            ${columns.map(({ head, cell, kind }, index) =>
              index === 0
                ? html`<th role="rowheader" scope="row">${cell(row)}</th>`
                : html`<td role="cell" class="${kind}" data-head="${head}">${cell(row)}</td>`,
            )}
          </tr> `,
      )}
    </tbody>
  </table>`
}
