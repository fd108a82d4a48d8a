// Maintenance windows as a person writes them: `sat,sun 02:00-05:00 Europe/Berlin`.

import { nearestName, type Rule, shape, WEEKDAYS, windowShape } from '../../manifests/index.ts'

type Window = NonNullable<Rule['windows']>[number]

const EXPECTED = 'a window such as sat,sun 02:00-05:00 Europe/Berlin'
const WINDOW = /^(?:([a-z,]+) +)?(\d\d:\d\d)-(\d\d:\d\d)(?: +(\S+))?$/i

/** Several are divided by `|`. @throws ShapeMismatch; also for a zone that this machine does not know */
export function parseWindows(text: string, path: string): Window[] {
  return text.split('|').map((part) => parseWindow(part.trim(), path))
}

export function printWindows(windows: readonly Window[]): string {
  return windows
    .map(({ start, end, days, timezone }) => [days?.join(','), `${start}-${end}`, timezone].filter(Boolean).join(' '))
    .join(' | ')
}

function parseWindow(text: string, path: string): Window {
  const found = WINDOW.exec(text)
  if (found === null) throw new shape.ShapeMismatch(path, EXPECTED, JSON.stringify(text))
  const [, days, start, end, timezone] = found
  return windowShape.check(
    {
      start,
      end,
      ...(days === undefined
        ? {}
        : {
            days: days
              .toLowerCase()
              .split(',')
              .map((day) => dayOf(day, path)),
          }),
      ...(timezone === undefined ? {} : { timezone }),
    },
    path,
  )
}

function dayOf(text: string, path: string): string {
  if ((WEEKDAYS as readonly string[]).includes(text)) return text
  throw new shape.ShapeMismatch(path, `days of ${WEEKDAYS.join(', ')}`, text, nearestName(text, WEEKDAYS))
}
