import { configHeader, type Define, plainText } from './render/config-header.ts';
import type { EspFacts, SourceFile } from './render/facts.ts';

export interface EspIdfRequest {
  readonly board: EspFacts;
  readonly engine: 'aot' | 'tflm';
  /** Steps of the network, 0 where the engine does not tell them apart. */
  readonly layers: number;
  readonly inputs: number;
  readonly outputs: number;
  /** First bytes of the SHA-256 of model.tflite, eight of them. */
  readonly modelHash: Uint8Array;
  /** What `convert` wrote for the engine, by relative path. */
  readonly modelFiles: readonly SourceFile[];
  /** The texts of `espIdfTemplates(engine)`, under those paths. */
  readonly templates: readonly SourceFile[];
  readonly stackBytes: number;
  /** First line of the generated files. */
  readonly banner: string;
}

const COMMON = [
  'bench/tml_bench.c',
  'bench/tml_bench.h',
  'bench/tml_port.h',
  'port/esp-idf/tml_esp_idf.c',
] as const;

/** The files of this folder that an ESP-IDF project is made of, for the caller to read. */
export function espIdfTemplates(engine: 'aot' | 'tflm'): readonly string[] {
  return engine === 'aot' ? COMMON : [...COMMON, 'kernels/tml_model.h', 'port/esp-idf/tml_tflm.cc'];
}

/** Other versions of the runtime may need more than the arena that was computed for one. */
const TFLM_RESERVE = 4096;

/** ESP-IDF's choices by chip: the highest frequency of the core that each has. */
const CPU_MHZ: Readonly<Record<EspFacts['family'], number>> = {
  esp32: 240,
  esp32s2: 240,
  esp32s3: 240,
  esp32c3: 160,
  esp32c6: 160,
  esp32p4: 360,
};

function tflmDefines({ engine, inputs, outputs, modelHash }: EspIdfRequest): Define[] {
  if (engine === 'aot') return [];
  const bytes = [...modelHash.subarray(0, 8)].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`);
  return [
    ['TML_TFLM_RESERVE', TFLM_RESERVE],
    ['TML_TFLM_INPUTS', inputs],
    ['TML_TFLM_OUTPUTS', outputs],
    ['TML_TFLM_HASH', `{${bytes.join(', ')}}`],
  ];
}

function defines(request: EspIdfRequest): Define[] {
  const { board, layers, stackBytes } = request;
  const overUsb = board.serial.peripheral === 'usb-serial-jtag';
  return [
    ['TML_BOARD_ID', JSON.stringify(board.id)],
    ['TML_LAYER_COUNT', `${Math.max(1, layers)}u`],
    ['TML_INPUT_KEPT', 0],
    ['TML_BAUD', board.serial.baud],
    ['TML_STACK_BYTES', stackBytes],
    ...(overUsb ? ([['TML_USB_SERIAL_JTAG', 1]] as Define[]) : []),
    ...tflmDefines(request),
  ];
}

/** Settings that ESP-IDF's own tools take over into `sdkconfig` (its Kconfig reference, 5.x). */
function sdkconfig({ board, banner }: EspIdfRequest): string {
  const flash = `${board.flash.bytes / (1024 * 1024)}MB`;
  return `# ${plainText(banner)}
CONFIG_IDF_TARGET="${board.family}"

# As fast as the chip goes: without these a model runs at a fraction of it.
CONFIG_COMPILER_OPTIMIZATION_PERF=y
CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ_${CPU_MHZ[board.family]}=y
CONFIG_ESPTOOLPY_FLASHMODE_QIO=y
CONFIG_ESPTOOLPY_FLASHFREQ_80M=y
CONFIG_ESPTOOLPY_FLASHSIZE_${flash}=y
CONFIG_PARTITION_TABLE_SINGLE_APP_LARGE=y

# An inference may keep its core for as long as it takes, with interrupts off while it is timed.
CONFIG_ESP_TASK_WDT_INIT=n
CONFIG_ESP_INT_WDT=n
CONFIG_FREERTOS_HZ=1000

# The serial port belongs to the benchmark.
CONFIG_ESP_CONSOLE_NONE=y
CONFIG_LOG_DEFAULT_LEVEL_NONE=y
CONFIG_BOOTLOADER_LOG_LEVEL_NONE=y
`;
}

/** The main component requires all others unless it names some, so that it names none: their names differ by version. */
function mainCmake({ banner }: EspIdfRequest, sources: readonly SourceFile[]): string {
  const units = sources.filter(({ path }) => /\.(c|cc)$/.test(path)).map(({ path }) => `"${path}"`);
  const folders = sources
    .filter(({ path }) => path.endsWith('.h'))
    .map(({ path }) => `"${path.replace(/\/?[^/]*$/, '') || '.'}"`);
  return `# ${plainText(banner)}
idf_component_register(
  SRCS ${units.join('\n    ')}
  INCLUDE_DIRS ${[...new Set(folders)].join(' ')})
target_compile_options(\${COMPONENT_LIB} PRIVATE -O2)
`;
}

const projectCmake = (banner: string) => `# ${plainText(banner)}
cmake_minimum_required(VERSION 3.16)
include($ENV{IDF_PATH}/tools/cmake/project.cmake)
project(tinyml_firmware)
`;

const component = (banner: string) => `# ${plainText(banner)}
dependencies:
  idf: ">=5.0"
  espressif/esp-tflite-micro: "^1.3.0"
`;

const readme = ({ board, banner }: EspIdfRequest) => `${plainText(banner)}

    idf.py set-target ${board.family}
    idf.py build flash

Then \`tinyml bench DIR --board ${board.id} --port PORT\` measures what runs.
`;

/**
 * An ESP-IDF project (5.0 or later) around a converted model: for every chip that ESP-IDF builds for, and for both
 * engines. Paths are relative to the project's folder; the same request gives the same bytes.
 */
export function renderEspIdf(request: EspIdfRequest): SourceFile[] {
  const sources = [
    { path: 'tml_config.h', text: configHeader(request.banner, defines(request)) },
    ...request.templates,
    ...request.modelFiles.map(({ path, text }) => ({ path: `model/${path}`, text })),
  ];
  return [
    { path: 'CMakeLists.txt', text: projectCmake(request.banner) },
    { path: 'sdkconfig.defaults', text: sdkconfig(request) },
    { path: 'README.md', text: readme(request) },
    { path: 'main/CMakeLists.txt', text: mainCmake(request, sources) },
    ...(request.engine === 'tflm'
      ? [{ path: 'main/idf_component.yml', text: component(request.banner) }]
      : []),
    ...sources.map(({ path, text }) => ({ path: `main/${path}`, text })),
  ];
}
