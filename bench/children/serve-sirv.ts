// node serve-sirv.mjs <peers> <folder> <port>: sirv as its documentation starts it for files that do not change while it runs.

import { createServer, type RequestListener } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [peers = '', folder = '', port = ''] = process.argv.slice(2)
const load = createRequire(join(peers, 'package.json'))
const sirv = load('sirv') as (folder: string, options: { etag: boolean }) => RequestListener
createServer(sirv(folder, { etag: true })).listen(Number(port), '127.0.0.1')
