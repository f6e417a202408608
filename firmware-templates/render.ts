import { noPort } from './errors.ts';
import type { EspImageOptions } from './esp-image.ts';
import { type BuildParts, cmakeLists, makefile, objectOf } from './render/build-files.ts';
import { configHeader, type Define, plainText } from './render/config-header.ts';
import { espDefines } from './render/esp-config.ts';
import { type ConstantsPlace, espLinkerScript } from './render/esp-linker-script.ts';
import { constantsPlace, espImageOptions, esptoolCommand } from './render/esp-plan.ts';
import type { BoardFacts, EspFacts, ModelFacts, SourceFile } from './render/facts.ts';
import { arenaSection, linkerScript } from './render/linker-script.ts';
import { rv32VirtDefines } from './render/rv32-virt-config.ts';
import { stm32Defines } from './render/stm32/stm32-config.ts';
import { toolchainOf } from './render/toolchain.ts';

export type { BoardFacts, ModelFacts, SourceFile } from './render/facts.ts';
export { arenaSection };

/** A program to run in the folder that the plan's files were written to, without a shell. */
export interface ToolRun {
  readonly tool: string;
  readonly args: readonly string[];
  /** The file it makes. */
  readonly output: string;
  /** To be set for it: messages in the language that `linkOverflow` reads. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface FirmwarePlan {
  readonly files: readonly SourceFile[];
  /** Independent of each other. */
  readonly compile: readonly ToolRun[];
  readonly link: ToolRun;
  /** How `firmware.bin` is made from `firmware.elf` (`espImage`), where no run of a tool does it. */
  readonly espImage?: EspImageOptions;
  /** Where the model's constants are, on chips that have the choice. */
  readonly constants?: ConstantsPlace;
  /** From `firmware.elf`: `firmware.bin` and `firmware.hex`, in this order. */
  readonly images: readonly ToolRun[];
}

export interface FirmwareRequest {
  readonly board: BoardFacts;
  readonly model: ModelFacts;
  /** The generated model and the kernel headers it includes; paths are kept, and put under `model/`. */
  readonly modelFiles: readonly SourceFile[];
  /** The texts of `firmwareTemplates(family)`, under those paths. */
  readonly templates: readonly SourceFile[];
  readonly optimize: 'speed' | 'size';
  /** Firmware that takes samples of sensors: the templates are those of `recorderTemplates`. */
  readonly sampling?: boolean;
  /** Bytes reserved for the stack. */
  readonly stackBytes: number;
  /** First line of the generated files: tool version, command, model hash. */
  readonly banner: string;
}

const COMMON_TEMPLATES = [
  'bench/tml_bench.c',
  'bench/tml_bench.h',
  'bench/tml_port.h',
  'port/common/tml_image.c',
  'port/common/tml_image.h',
  'port/common/tml_libc.c',
] as const;

const TEMPLATES = {
  stm32: [
    ...COMMON_TEMPLATES,
    'port/cortex-m/tml_cortex_m.c',
    'port/cortex-m/tml_cortex_m.h',
    'port/stm32/tml_stm32.c',
  ],
  'rv32-virt': [
    ...COMMON_TEMPLATES,
    'port/freestanding/string.h',
    'port/rv32/tml_rv32.c',
    'port/rv32/tml_rv32.h',
    'port/rv32-virt/tml_rv32_virt.c',
  ],
  esp32c3: [
    ...COMMON_TEMPLATES,
    'port/freestanding/string.h',
    'port/rv32/tml_rv32.c',
    'port/rv32/tml_rv32.h',
    'port/esp/tml_esp.c',
    'port/esp/tml_esp.h',
    'port/esp32c3/tml_esp32c3.c',
  ],
  esp32: [
    ...COMMON_TEMPLATES,
    'port/freestanding/string.h',
    'port/xtensa/tml_xtensa.c',
    'port/xtensa/tml_xtensa.h',
    'port/xtensa/tml_xtensa_helpers.c',
    'port/esp/tml_esp.c',
    'port/esp/tml_esp.h',
    'port/esp32/tml_esp32.c',
  ],
} as const satisfies Partial<Record<BoardFacts['family'], readonly string[]>>;

const SAMPLING_TEMPLATES = ['sample/tml_no_model.c', 'sample/tml_sample.c', 'sample/tml_sample.h'] as const;

/** Ports that read sensors; the others have the synthetic sources. */
const SENSOR_TEMPLATES: Partial<Record<BoardFacts['family'], readonly string[]>> = {
  stm32: ['port/stm32/tml_stm32f4_adc.c'],
};

type PortFamily = keyof typeof TEMPLATES;
type PortFacts = Extract<BoardFacts, { family: PortFamily }>;

const isEsp = (board: BoardFacts): board is EspFacts => board.family.startsWith('esp32');
const hasPort = (board: BoardFacts): board is PortFacts => Object.hasOwn(TEMPLATES, board.family);

const ENVIRONMENT = { LC_ALL: 'C' };

const WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion'];

/** The files of this folder that a firmware of `family` is made of, for the caller to read. Throws E_NO_PORT. */
export function firmwareTemplates(family: BoardFacts['family']): readonly string[] {
  if (!Object.hasOwn(TEMPLATES, family)) throw noPort(family);
  return TEMPLATES[family as PortFamily];
}

/** The files of firmware without a model, which takes samples of sensors. Throws E_NO_PORT. */
export function recorderTemplates(family: BoardFacts['family']): readonly string[] {
  return [...firmwareTemplates(family), ...SAMPLING_TEMPLATES, ...(SENSOR_TEMPLATES[family] ?? [])];
}

/** Flags that every source of `board` is compiled with; kernels' tests can measure with the same. */
export function compilerFlags(board: Pick<BoardFacts, 'cpu'>, optimize: 'speed' | 'size'): readonly string[] {
  return [
    ...toolchainOf(board.cpu).compile,
    '-std=c99',
    optimize === 'speed' ? '-O2' : '-Os',
    '-ffunction-sections',
    '-fdata-sections',
    ...WARNINGS,
  ];
}

function familyDefines(board: BoardFacts): Define[] {
  if (!hasPort(board)) throw noPort(board.family);
  if (isEsp(board)) return espDefines(board);
  return board.family === 'stm32' ? stm32Defines(board) : rv32VirtDefines(board);
}

function defines({ board, model, sampling }: FirmwareRequest): Define[] {
  return [
    ['TML_BOARD_ID', JSON.stringify(board.id)],
    ['TML_LAYER_COUNT', `${Math.max(1, model.layers)}u`],
    ['TML_INPUT_KEPT', model.inputKept ? 1 : 0],
    ...(sampling ? [['TML_SAMPLING', 1] as const] : []),
    ...familyDefines(board),
  ];
}

function includeFolders(sources: readonly SourceFile[]): string[] {
  const folders = sources
    .filter((file) => file.path.endsWith('.h'))
    .map((file) => file.path.replace(/\/?[^/]*$/, ''));
  return [...new Set(folders)].map((folder) => `-I${folder || '.'}`).sort();
}

/**
 * Everything needed to build the benchmark firmware of a model for a board: the files to write and the tools to
 * run, with relative paths only, so that the same request gives the same bytes in every folder.
 */
export function renderFirmware(request: FirmwareRequest): FirmwarePlan {
  const sources = [
    { path: 'tml_config.h', text: configHeader(request.banner, defines(request)) },
    ...request.templates,
    ...request.modelFiles.map((file) => ({ path: `model/${file.path}`, text: file.text })),
  ];
  const includes = includeFolders(sources);
  const units = sources.filter((file) => file.path.endsWith('.c')).map((file) => file.path);
  const flagsOf = (path: string) =>
    compilerFlags(request.board, path.startsWith('model/') ? request.optimize : 'size');
  const { prefix, link } = toolchainOf(request.board.cpu);
  const linkFlags = [
    ...link,
    '-nostdlib',
    '-Wl,--gc-sections',
    '-Wl,--build-id=none',
    '-Wl,--no-warn-rwx-segments',
    '-T',
    'firmware.ld',
  ];
  const parts = {
    units,
    includes,
    flagsOf,
    linkFlags,
    banner: plainText(request.banner),
    prefix,
    ...imageCommands(request, prefix),
  };
  return {
    files: [
      ...sources,
      { path: 'firmware.ld', text: linkerScriptFor(request) },
      { path: 'Makefile', text: makefile(parts) },
      { path: 'CMakeLists.txt', text: cmakeLists(parts) },
    ],
    compile: units.map((path) => ({
      tool: `${prefix}gcc`,
      args: [...flagsOf(path), ...includes, '-c', path, '-o', objectOf(path)],
      output: objectOf(path),
      environment: ENVIRONMENT,
    })),
    link: {
      tool: `${prefix}gcc`,
      args: [...linkFlags, ...units.map(objectOf), '-lgcc', '-o', 'firmware.elf'],
      output: 'firmware.elf',
      environment: ENVIRONMENT,
    },
    ...imagesFor(request, prefix),
  };
}

function linkerScriptFor({ board, stackBytes, model }: FirmwareRequest): string {
  if (isEsp(board)) return espLinkerScript(board, stackBytes, constantsPlace(board, model, stackBytes));
  return linkerScript(board, stackBytes);
}

function imagesFor(
  { board, model, stackBytes }: FirmwareRequest,
  prefix: string,
): Pick<FirmwarePlan, 'images' | 'espImage' | 'constants'> {
  if (!isEsp(board))
    return { images: [imageRun(prefix, 'binary', 'firmware.bin'), imageRun(prefix, 'ihex', 'firmware.hex')] };
  const args = [...hexOfImage(board.boot.imageOffset)];
  const hex = { tool: `${prefix}objcopy`, args, output: 'firmware.hex', environment: ENVIRONMENT };
  const constants = constantsPlace(board, model, stackBytes);
  return { espImage: espImageOptions(board), constants, images: [hex] };
}

/** Arguments of objcopy for an image that is to be at an offset in flash. */
const hexOfImage = (offset: number) =>
  [
    '-I',
    'binary',
    '-O',
    'ihex',
    '--change-addresses',
    String(offset),
    'firmware.bin',
    'firmware.hex',
  ] as const;

/** The commands that make the images for those who go on without tinyml. */
function imageCommands(request: FirmwareRequest, prefix: string): Pick<BuildParts, 'bin' | 'hex'> {
  const { board } = request;
  const objcopy = `${prefix}objcopy`;
  if (!isEsp(board))
    return {
      bin: [objcopy, '-O', 'binary', 'firmware.elf', 'firmware.bin'],
      hex: [objcopy, '-O', 'ihex', 'firmware.elf', 'firmware.hex'],
    };
  return {
    bin: esptoolCommand(board, constantsPlace(board, request.model, request.stackBytes)),
    hex: [objcopy, ...hexOfImage(board.boot.imageOffset)],
  };
}

function imageRun(prefix: string, format: string, output: string): ToolRun {
  return {
    tool: `${prefix}objcopy`,
    args: ['-O', format, 'firmware.elf', output],
    output,
    environment: ENVIRONMENT,
  };
}
