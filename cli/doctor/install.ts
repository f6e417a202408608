import type { Context } from '../context.ts';
import { findTool } from '../tools/find-tool.ts';
import { runTool, runToolOrFail } from '../tools/run-tool.ts';
import { aptCommand } from './tool-checks.ts';

const installSeconds = 900;
const purpose = 'install packages';

/** Words before a command that give it the right to change the system, or undefined when this user has none. */
export async function asRoot(context: Context): Promise<readonly string[] | undefined> {
  if (process.getuid?.() === 0) return [];
  if (findTool('sudo') === undefined) return undefined;
  const run = { tool: 'sudo', args: ['-n', 'true'], purpose, timeoutSeconds: 20 };
  const { code } = await runTool(run, context.lifetime);
  return code === 0 ? ['sudo', '-n'] : undefined;
}

/**
 * Installs Debian packages where apt-get is there and may be used without a question. Resolves to whether it did.
 * Throws E_TOOL_FAILED with apt's own last words.
 */
export async function installPackages(packages: readonly string[], context: Context): Promise<boolean> {
  if (packages.length === 0 || findTool('apt-get') === undefined) return false;
  const prefix = await asRoot(context);
  if (prefix === undefined) return false;
  const run = (command: readonly string[]) => {
    const words = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', ...command];
    return { tool: words[0]!, args: words.slice(1), purpose, timeoutSeconds: installSeconds };
  };
  await context.output.step(`install ${packages.join(' ')}`, async (progress) => {
    progress('reading package lists');
    // Old lists may still do; the installation itself reports what is really missing.
    await runTool(run(['apt-get', 'update']), context.lifetime);
    progress('installing');
    await runToolOrFail(run(aptCommand(packages)), context.lifetime);
  });
  return true;
}
