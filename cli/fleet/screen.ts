import type { TerminalOptions } from '../../fleet/report/terminal.ts'

const WIDTH_WITHOUT_TERMINAL = 100

/** How the text of a fleet is drawn on this stdout. */
export function screenOptions(
  stdout: NodeJS.WriteStream,
  env: NodeJS.ProcessEnv,
): Pick<TerminalOptions, 'width' | 'isColored' | 'isUnicode'> {
  const isTerminal = stdout.isTTY && env['TERM'] !== 'dumb'
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find((one) => one !== undefined && one !== '') ?? ''
  return {
    width: stdout.isTTY && stdout.columns > 0 ? stdout.columns : WIDTH_WITHOUT_TERMINAL,
    isColored: isTerminal && (env['NO_COLOR'] ?? '') === '',
    isUnicode: /utf-?8/i.test(locale),
  }
}
