// The one place where text becomes HTML. Templates are written by hand; whatever is put into them is escaped here, for
// text and for attributes in double quotes alike.

import { visibleText } from '../visible-text.ts'

/** HTML that is finished: it is not escaped again. Only `html` makes it. */
export class Html {
  readonly #markup: string

  constructor(markup: string) {
    this.#markup = markup
  }

  toString(): string {
    return this.#markup
  }
}

/** `undefined` and `false` are nothing. */
export type HtmlValue = string | number | Html | undefined | false | readonly HtmlValue[]

export function html(template: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(
    template
      .map((part, index) => {
        // The indentation of the source is no part of the page.
        const own = part.replace(/\n\s+/g, '\n')
        return index === 0 ? own : `${markupOf(values[index - 1])}${own}`
      })
      .join(''),
  )
}

function markupOf(value: HtmlValue): string {
  if (value === undefined || value === false) return ''
  if (value instanceof Html) return value.toString()
  if (typeof value === 'string' || typeof value === 'number') return escapeText(String(value))
  return value.map(markupOf).join('')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeText(text: string): string {
  return visibleText(text).replace(/[&<>"']/g, (char) => ENTITIES[char] ?? '')
}
