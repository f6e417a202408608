// What `npm run demo` and `npm test` do first on any machine: dependencies, build, compilers and emulator.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const tinyml = join(root, 'dist', 'cli', 'main.js');

/** Runs a program with this terminal; ends the process with its exit code when it fails. */
export function run(program, args, options = {}) {
  const { status, error, signal } = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    ...options,
  });
  if (error) console.error(`${program}: ${error.message}`);
  if (status !== 0) process.exit(status ?? (signal === 'SIGINT' ? 130 : 1));
}

function requireNode() {
  if (Number(process.versions.node.split('.')[0]) >= 20) return;
  console.error(`tinyml needs Node.js 20 or later; this is ${process.version}`);
  process.exit(1);
}

/** npm leaves a copy of the lock file's tree in node_modules; it tells whether the installation is this one. */
function isInstalled() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  const { packages: wanted } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const { packages: found } = JSON.parse(readFileSync(installed, 'utf8'));
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional || found[path]?.version === version,
  );
}

function installDependencies() {
  if (isInstalled()) return;
  console.error('installing dependencies (npm ci --ignore-scripts)');
  // No package needs its install script: serialport brings binaries for the common systems.
  const npm = process.env.npm_execpath;
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  if (npm && /\.c?js$/.test(npm)) run(process.execPath, [npm, ...args]);
  else run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, { shell: process.platform === 'win32' });
}

function installTools() {
  const { status, stdout } = spawnSync(process.execPath, [tinyml, 'doctor', '--fix'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status === 0) return;
  console.error(stdout);
  process.exit(status ?? 1);
}

/** Everything a fresh checkout needs; quick and silent when it is all there. */
export async function setUp() {
  requireNode();
  installDependencies();
  const { build } = await import('./build.mjs');
  build();
  installTools();
}
