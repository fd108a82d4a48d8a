import { commandOf, type ServiceOptions, STOP_SECONDS } from './service-options.ts'

export function supervisordProgram(options: ServiceOptions): string {
  const { name, user } = options
  return `[program:${name}]
command=${commandOf(options).map(configWord).join(' ')}
${user === undefined ? '' : `user=${user}\n`}; Exit status 100 means: updated, start me again. With autorestart=unexpected a status in exitcodes never restarts.
autorestart=true
; A program that ends within startsecs counts as a failed start. After startretries of them supervisord gives up for good,
; and by default that is before the launcher has gone back from a bad version. The pause grows by a second each time.
startsecs=1
startretries=1000000
; An agent may take 30 seconds to finish its work.
stopsignal=TERM
stopwaitsecs=${STOP_SECONDS}
killasgroup=true
redirect_stderr=true
`
}

/**
 * A word of a command line: split as a shell does, after `%(name)s` was filled in. A semicolon or a hash behind a space
 * would begin a comment, also between quotes.
 */
function configWord(word: string): string {
  const plain = word.replaceAll('%', '%%')
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(plain) ? plain : `'${plain.replace(/[';#]/g, `'\\$&'`)}'`
}
