import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isEsp, listBoards } from '../../boards/load.ts';
import { tinyml } from '../support/cli.ts';
import { sharedFolder } from '../support/oracle.ts';

const shared = sharedFolder();
const stubs = join(import.meta.dirname, '../firmware/fixtures/esp-idf');
const hasGcc = !spawnSync('gcc', ['--version']).error;
const hasCxx = !spawnSync('g++', ['--version']).error;
const why = shared ? '' : ' (skipped without ../shared)';

/** A real board for each chip. */
const boards = [
  ...new Map(
    listBoards()
      .filter(isEsp)
      .filter(({ emulator }) => !emulator)
      .map((board) => [board.chip.id, board.id]),
  ).values(),
];

describe.skipIf(!shared || !hasGcc)(`tinyml build --project esp-idf${why}`, () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tinyml-idf-'));
    for (const engine of ['aot', 'tflm']) {
      const made = await tinyml([
        'convert',
        join(shared!, 'models/kws_int8.tflite'),
        '--engine',
        engine,
        '-o',
        join(folder, engine),
      ]);
      expect(made.code).toBe(0);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  interface Project {
    readonly folder: string;
    readonly files: readonly string[];
  }

  async function project(engine: string, board: string): Promise<Project> {
    const made = await tinyml([
      'build',
      join(folder, engine),
      '--board',
      board,
      '--project',
      'esp-idf',
      '--json',
    ]);
    expect(made.code).toBe(0);
    return made.json<Project & Record<string, unknown>>();
  }

  const textOf = (made: Project, name: string) => readFileSync(join(made.folder, name), 'utf8');

  it.each(boards)(
    'makes C for %s that compiles without a warning against ESP-IDF’s interface',
    async (board) => {
      const made = await project('aot', board);
      const main = join(made.folder, 'main');
      const headers = made.files
        .filter((name) => name.endsWith('.h'))
        .map((name) => join(made.folder, name, '..'));
      const includes = [...new Set(headers), main, stubs].map((name) => `-I${name}`);
      // The model's own file is for the chip's core, which other tests compile it for.
      const units = made.files
        .filter((name) => /(tml_bench|tml_esp_idf)\.c$/.test(name))
        .map((name) => join(made.folder, name));
      expect(units).toHaveLength(2);
      execFileSync(
        'gcc',
        ['-fsyntax-only', '-std=gnu17', '-Wall', '-Wextra', '-Werror', ...includes, ...units],
        { stdio: 'pipe' },
      );
    },
  );

  it('names every source in CMake, and the settings of the chip', async () => {
    const made = await project('aot', 'esp32-s3-devkitc-1');
    const cmake = textOf(made, 'main/CMakeLists.txt');
    for (const name of made.files.filter((file) => /\.(c|cc)$/.test(file)))
      expect(cmake).toContain(`"${name.slice('main/'.length)}"`);
    const settings = textOf(made, 'sdkconfig.defaults');
    for (const line of [
      'CONFIG_IDF_TARGET="esp32s3"',
      'CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ_240=y',
      'CONFIG_ESPTOOLPY_FLASHSIZE_8MB=y',
      'CONFIG_COMPILER_OPTIMIZATION_PERF=y',
    ])
      expect(settings).toContain(line);
  });

  it('talks over the chip’s own USB where the board has nothing else', async () => {
    expect(textOf(await project('aot', 'xiao-esp32c3'), 'main/tml_config.h')).toContain(
      'TML_USB_SERIAL_JTAG 1',
    );
    expect(textOf(await project('aot', 'esp32-devkitc'), 'main/tml_config.h')).not.toContain('USB');
  });

  it.skipIf(!hasCxx)('takes TensorFlow Lite Micro as a managed component for engine tflm', async () => {
    const made = await project('tflm', 'esp32-s3-devkitc-1');
    expect(textOf(made, 'main/idf_component.yml')).toContain('espressif/esp-tflite-micro');
    const main = join(made.folder, 'main');
    const includes = [stubs, main, join(main, 'kernels'), join(main, 'model'), join(main, 'bench')].map(
      (name) => `-I${name}`,
    );
    execFileSync(
      'g++',
      [
        '-fsyntax-only',
        '-std=c++17',
        '-Wall',
        '-Wextra',
        '-Werror',
        ...includes,
        join(main, 'port/esp-idf/tml_tflm.cc'),
      ],
      { stdio: 'pipe' },
    );
  });

  it('refuses a board of another maker', async () => {
    const made = await tinyml([
      'build',
      join(folder, 'aot'),
      '--board',
      'nucleo-f446re',
      '--project',
      'esp-idf',
    ]);
    expect(made.code).toBe(1);
    expect(made.stderr).toContain('E_NOT_ESP');
  });

  it('tells that a chip has no firmware of tinyml’s own, and what there is instead', async () => {
    const made = await tinyml(['build', join(folder, 'aot'), '--board', 'esp32-s3-devkitc-1']);
    expect(made.code).toBe(1);
    expect(made.stderr).toContain('E_NO_PORT');
    expect(made.stderr).toContain('--project esp-idf');
  });
});
