import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { SearchReport } from '../../cli/search/search-report.ts';
import { stackTrace, tinyml } from '../support/cli.ts';

const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');
const model = join(example, 'model.onnx');
const data = join(example, 'data.npz');
const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');

const onPath = (name: string) =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)));
const canMeasure = onPath('arm-none-eabi-gcc') && onPath('qemu-system-arm');
const hasRedis = onPath('redis-server');
const ifBoard = canMeasure ? '' : ' (needs arm-none-eabi-gcc and qemu-system-arm)';
const ifRedis = hasRedis && canMeasure ? '' : ' (needs redis-server, arm-none-eabi-gcc and qemu-system-arm)';

// Trials compile and emulate; a busy machine takes its time, and none of these tests is about time.
vi.setConfig({ testTimeout: 600_000 });

let folder = '';
const at = (name: string) => join(folder, name);
const started: ChildProcess[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-search-'));
});
afterEach(async () => {
  const running = started.splice(0).filter((child) => child.exitCode === null && child.signalCode === null);
  const gone = running.map((child) => once(child, 'exit'));
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(gone);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const search = (study: string, trials: number, more: readonly string[] = []) => [
  'search',
  model,
  ...['--data', data, '--trials', String(trials), '--study', at(study), '--json', ...more],
  // What takes long is left to the one test of pruning.
  ...(more.includes('--only')
    ? []
    : ['--only', 'pruneTo=1', '--only', 'learnRounding=false', '--only', 'correctBias=false']),
];

let whole: Promise<SearchReport> | undefined;
/** What five trials come to on this machine, without an interruption. */
function wholeReport(): Promise<SearchReport> {
  whole ??= tinyml(search('whole.jsonl', 5)).then(({ json }) => json<SearchReport>());
  return whole;
}

function instructionsOf(trial: SearchReport['trials'][number]): number | undefined {
  return trial.state === 'measured' ? (trial.measures.instructions ?? undefined) : undefined;
}

/** A report without what names its own files. */
function figuresOf({ study: _, plot: __, trials, ...rest }: SearchReport) {
  const withoutStack = (measures: object | null) => measures && { ...measures, ram: 0 };
  return {
    ...rest,
    best: rest.best.trial,
    front: rest.front.map((entry) => entry.trial),
    // How deep the stack was depends on when an interrupt came.
    trials: trials.map((trial) =>
      trial.state === 'failed' ? trial : { ...trial, measures: withoutStack(trial.measures) },
    ),
  };
}

interface Process {
  readonly pid: number;
  readonly args: string;
}

/** A process and all that it started, and these started. */
function familyOf(parent: number): Process[] {
  const table = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' });
  const rows = table.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line);
    return match ? [{ pid: Number(match[1]), parent: Number(match[2]), args: match[3]! }] : [];
  });
  const family = new Set([parent]);
  for (let grown = 0; grown !== family.size; ) {
    grown = family.size;
    for (const row of rows) if (family.has(row.parent)) family.add(row.pid);
  }
  return rows.filter(({ pid }) => family.has(pid));
}

function isAlive({ pid }: Process): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const linesOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 25));
}

describe.skipIf(!canMeasure)(`tinyml search${ifBoard}`, () => {
  test('measures, tells best and front, writes study, plot and the best conversion', async () => {
    const { code, stdout, json } = await tinyml(
      search('first.jsonl', 3, ['--budget', 'accuracy>=0.9,latency<5ms', '-o', at('best'), '--test', data]),
    );
    expect(code, stdout).toBe(0);
    const report = json<SearchReport>();
    expect(report).toMatchObject({
      metric: 'accuracy',
      board: 'virtual-stm32f405',
      feasible: true,
      objectives: ['ram', 'flash'],
      output: at('best'),
    });
    expect(report.trials).toHaveLength(3);
    expect(report.trials[0]!.assignment).toMatchObject({
      format: 'int8',
      optimize: 'speed',
      calibration: 'mse',
    });
    expect(report.best.measures.quality).toBeGreaterThan(0.9);
    expect(report.best.testQuality).toBe(report.best.measures.quality);
    expect(report.front.map((entry) => entry.trial)).toContain(report.best.trial);
    expect(linesOf(at('first.jsonl'))).toBe(4);
    expect(readFileSync(at('first.svg'), 'utf8')).toMatch(/^<svg[\s\S]*<\/svg>\n$/);
    const bench = await tinyml(['bench', at('best'), '--json']);
    expect(bench.json<{ instructions: number }>().instructions).toBe(report.best.measures.instructions);
  });

  test('prunes, and trains on one half of the data what it scores on the other', async () => {
    const pruned = async (epochs: number, more: readonly string[] = []) => {
      const only = ['pruneTo=0.3', `epochs=${epochs}`, 'criterion=l2', 'schedule=one-shot'];
      const words = ['--jobs', '1', ...only.flatMap((one) => ['--only', one]), ...more];
      const { code, json, stderr } = await tinyml(search(`pruned-${epochs}.jsonl`, 1, words));
      expect(code, stderr).toBe(0);
      return json<SearchReport>().best.measures;
    };
    const untrained = await pruned(0);
    const trained = await pruned(3, ['-o', at('pruned')]);
    expect(trained.quality).toBeGreaterThan(untrained.quality + 0.05);
    const whole = await wholeReport();
    expect(trained.instructions!).toBeLessThan(0.75 * whole.trials.map(instructionsOf)[0]!);
    const bench = await tinyml(['bench', at('pruned'), '--json']);
    expect(bench.json<{ instructions: number }>().instructions).toBe(trained.instructions);
  });

  test('a budget that cannot be kept: exit code 3, and how close it came', async () => {
    const args = search('strict.jsonl', 2, [
      '--jobs',
      '1',
      '--budget',
      'latency<20us,accuracy>=0.5',
      '-o',
      at('none'),
    ]);
    const { code, stdout } = await tinyml(args.filter((word) => word !== '--json'));
    expect(code).toBe(3);
    expect(stdout).toMatch(/no trial keeps it/);
    expect(stdout).toMatch(/latency \d.* us, at most 20\.0 us wanted: \d.* us over/);
    expect(existsSync(at('none'))).toBe(false);
    const again = (await tinyml(args)).json<SearchReport>();
    expect(again).toMatchObject({ feasible: false, output: null });
    expect(again.trials).toHaveLength(2);
  });

  test('killed in the middle, the same command goes on and comes to the same', async () => {
    const child = spawn(process.execPath, [program, ...search('killed.jsonl', 5)], { stdio: 'ignore' });
    started.push(child);
    await until(() => linesOf(at('killed.jsonl')) >= 2);
    const family = familyOf(child.pid!);
    child.kill('SIGKILL');
    await until(() => !family.some(isAlive));
    const before = linesOf(at('killed.jsonl')) - 1;
    expect(before).toBeLessThan(5);
    const resumed = await tinyml(search('killed.jsonl', 5));
    expect(resumed.code).toBe(0);
    expect(figuresOf(resumed.json<SearchReport>())).toEqual(figuresOf(await wholeReport()));
  });

  test('Ctrl-C: exit code 130, and nothing runs on', async () => {
    const child = spawn(process.execPath, [program, ...search('stopped.jsonl', 40)], { stdio: 'ignore' });
    started.push(child);
    await until(() => linesOf(at('stopped.jsonl')) >= 2);
    const family = familyOf(child.pid!);
    expect(family.some(({ args }) => args.includes('worker --child'))).toBe(true);
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    expect(code).toBe(130);
    await until(() => !family.some(isAlive));
    expect(linesOf(at('stopped.jsonl'))).toBeGreaterThanOrEqual(2);
  });

  test('a worker that dies is a failed trial, and the search goes on with a new one', async () => {
    const child = spawn(process.execPath, [program, ...search('dying.jsonl', 3, ['--jobs', '1'])], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    started.push(child);
    let stdout = '';
    child.stdout!.on('data', (chunk) => {
      stdout += chunk;
    });
    await until(() => linesOf(at('dying.jsonl')) >= 2);
    const worker = familyOf(child.pid!).find(({ args }) => args.includes('worker --child'));
    process.kill(worker!.pid, 'SIGKILL');
    const [code] = await once(child, 'close');
    expect(code).toBe(0);
    const states = (JSON.parse(stdout) as SearchReport).trials.map((trial) => trial.state);
    expect(states).toHaveLength(3);
    expect(states.filter((state) => state === 'failed').length).toBeLessThanOrEqual(1);
  });
});

describe('bad input', () => {
  test('each kind has its own message, and no trial is begun', async () => {
    const unlabelled = at('unlabelled.csv');
    writeFileSync(unlabelled, `${new Array(384).fill('0.5').join(',')}\n`.repeat(4));
    for (const [args, wanted] of [
      [['search', model], /--data <data> is missing/],
      [['search', model, '--data', unlabelled], /E_LABELS_NEEDED/],
      [['search', model, '--data', data, '--budget', 'accuracy'], /E_BUDGET.*[\s\S]*quote the whole budget/],
      [['search', model, '--data', data, '--budget', 'auc>=0.9'], /E_BUDGET: .*limits auc.*accuracy/],
      [
        ['search', model, '--data', data, '--board', 'nucleo-f446re', '--budget', 'instructions<1k'],
        /E_BUDGET/,
      ],
      [['search', model, '--data', data, '--queue', 'redis://127.0.0.1:1'], /E_QUEUE: no Redis server/],
      [['search', model, '--data', data, '--queue', 'http://x'], /E_QUEUE/],
      [
        ['search', model, '--data', data, '--only', 'calibraton=mse'],
        /E_KNOB.*[\s\S]*did you mean calibration/,
      ],
      [['search', model, '--data', data, '--only', 'calibration=best'], /E_KNOB.*[\s\S]*values: minmax/],
      [['worker'], /--queue <url> is missing/],
    ] as const) {
      const study = args[1] === model ? ['--study', at('never.jsonl')] : [];
      const { code, stderr } = await tinyml([...args, ...study]);
      expect(stderr).toMatch(wanted);
      expect([1, 2]).toContain(code);
      expect(stderr).not.toMatch(stackTrace);
    }
    expect(linesOf(at('never.jsonl'))).toBeLessThanOrEqual(1);
  });
});

test('BullMQ that is not installed: named, with the way to get it, exit code 2', async () => {
  const resolve = `export async function resolve(name, context, next) {
    if (name === 'bullmq') throw Object.assign(new Error('no package'), { code: 'ERR_MODULE_NOT_FOUND' });
    return next(name, context);
  }`;
  const hook = `import { register } from 'node:module';
register('data:text/javascript,' + ${JSON.stringify(encodeURIComponent(resolve))});`;
  writeFileSync(at('without-bullmq.mjs'), hook);
  const env = { NODE_OPTIONS: `--import ${at('without-bullmq.mjs')}` };
  const { code, stderr } = await tinyml(['worker', '--queue', 'redis://127.0.0.1:1'], { env });
  expect(stderr).toMatch(/E_PEER_MISSING[\s\S]*npm install bullmq/);
  expect(code).toBe(2);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function startRedis(): Promise<string> {
  const port = await freePort();
  const options = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
  ];
  const server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'ignore'] });
  started.push(server);
  let said = '';
  server.stdout!.on('data', (chunk) => {
    said += chunk;
  });
  await until(() => /Ready to accept connections/.test(said));
  return `redis://127.0.0.1:${port}`;
}

async function startWorker(url: string): Promise<{ child: ChildProcess; said: () => string }> {
  const child = spawn(process.execPath, [program, 'worker', '--queue', url], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  started.push(child);
  let text = '';
  child.stderr!.on('data', (chunk) => {
    text += chunk;
  });
  await until(() => text.includes('waiting for trials') || child.exitCode !== null);
  return { child, said: () => text };
}

describe.skipIf(!hasRedis || !canMeasure)(`a queue of a real Redis server${ifRedis}`, () => {
  test('two workers share the trials, one is killed, and the result is that of one machine', async () => {
    const url = await startRedis();
    const [first, second] = await Promise.all([startWorker(url), startWorker(url)]);
    const running = tinyml(search('queued.jsonl', 5, ['--queue', url, '--jobs', '4']));
    await until(() => [first, second].every(({ said }) => /trial \d/.test(said())));
    first.child.kill('SIGKILL');
    const { code, stderr, json } = await running;
    expect(code, stderr).toBe(0);
    expect(figuresOf(json<SearchReport>())).toEqual(figuresOf(await wholeReport()));
    second.child.kill('SIGINT');
    const [ended] = await once(second.child, 'exit');
    expect(ended).toBe(130);
  });
});
