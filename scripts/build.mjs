// Compiles the TypeScript sources to dist/ when they changed, and links the checkout's own `tinyml` command.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const stampName = '.sources';
const sourceFolders = ['cli', 'common', 'converter', 'firmware-templates', 'boards', 'device'];

/** TypeScript files under `folder`, sorted, without recursion into what is not ours. */
function sourceFiles(folder) {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Changes whenever a source, a setting of the compiler or a dependency does. */
function fingerprint() {
  const hash = createHash('sha256');
  const files = sourceFolders.flatMap((folder) => sourceFiles(join(root, folder)));
  for (const name of ['tsconfig.json', 'tsconfig.build.json', 'package.json']) files.push(join(root, name));
  for (const file of files)
    hash
      .update(`${relative(root, file)}\0`)
      .update(fs.readFileSync(file))
      .update('\0');
  return hash.digest('hex');
}

/** Types are checked by `npm run typecheck`; here the compiler only has to emit, which takes half a second. */
function compile(target) {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [
    compiler,
    '-p',
    'tsconfig.build.json',
    '--noCheck',
    '--declaration',
    'false',
    '--outDir',
    target,
  ];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status === 0) return;
  fs.rmSync(target, { recursive: true, force: true });
  throw new Error(`the TypeScript compiler failed:\n${stdout}`);
}

/** The new build takes the name of the old one, so that a command that runs meanwhile finds one or the other. */
function exchange(fresh) {
  const old = `${fresh}.old`;
  if (fs.existsSync(dist)) fs.renameSync(dist, old);
  fs.renameSync(fresh, dist);
  fs.rmSync(old, { recursive: true, force: true });
}

function linkCommand() {
  const folder = join(root, 'node_modules', '.bin');
  fs.mkdirSync(folder, { recursive: true });
  if (process.platform === 'win32') {
    fs.writeFileSync(join(folder, 'tinyml.cmd'), '@node "%~dp0\\..\\..\\dist\\cli\\main.js" %*\r\n');
    return;
  }
  const link = join(folder, 'tinyml');
  const target = join('..', '..', 'dist', 'cli', 'main.js');
  if (fs.lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() && fs.readlinkSync(link) === target)
    return;
  fs.rmSync(link, { force: true });
  fs.symlinkSync(target, link);
}

/** Brings dist/ up to date. Returns whether anything was compiled. */
export function build() {
  const wanted = fingerprint();
  const stamp = join(dist, stampName);
  const upToDate = fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === wanted;
  if (!upToDate) {
    const fresh = `${dist}.tmp-${process.pid}`;
    compile(fresh);
    fs.chmodSync(join(fresh, 'cli', 'main.js'), 0o755);
    fs.writeFileSync(join(fresh, stampName), wanted);
    exchange(fresh);
  }
  linkCommand();
  return !upToDate;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(build() ? 'built dist/' : 'dist/ is up to date');
}
