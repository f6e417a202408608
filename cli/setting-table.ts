/** Where a setting may come from, and why. */
interface SettingRule {
  /** `own`: flag, environment, or a configuration file in the working folder or at home; `anywhere`: also beside a model. */
  readonly trust: 'anywhere' | 'own';
  readonly why: string;
  /** Names a file; in a configuration file it is relative to that file. */
  readonly isPath?: true;
}

const describesModel = 'says how the model is to be understood and converted, and reaches nothing else';
const reachesDevice = 'decides which device is opened, and how';
const namesFile = 'names a file of this machine, which is read';
const usesMachine = 'decides how long and how much this machine works';

/**
 * Every name that a configuration file or the environment may set. Whoever made a model may have put a configuration file
 * beside it, so that only what describes the model is taken from there.
 */
export const settingTable: Readonly<Record<string, SettingRule>> = {
  board: { trust: 'own', why: 'may be a board file, which names the programs that emulate it' },
  port: { trust: 'own', why: reachesDevice },
  baud: { trust: 'own', why: reachesDevice },
  engine: { trust: 'own', why: 'may start a compiler or reach a board' },
  queue: { trust: 'own', why: 'sends model and data to another machine' },
  calib: { trust: 'own', why: namesFile, isPath: true },
  train: { trust: 'own', why: namesFile, isPath: true },
  runs: { trust: 'own', why: usesMachine },
  trials: { trust: 'own', why: usesMachine },
  jobs: { trust: 'own', why: usesMachine },
  trialTimeout: { trust: 'own', why: usesMachine },
  inputShape: { trust: 'anywhere', why: describesModel },
  convertEngine: { trust: 'anywhere', why: describesModel },
  quantize: { trust: 'anywhere', why: describesModel },
  optimize: { trust: 'anywhere', why: describesModel },
  weights: { trust: 'anywhere', why: describesModel },
  budget: { trust: 'anywhere', why: 'says what a conversion is judged by' },
  sampler: { trust: 'anywhere', why: 'chooses among ways of the same length to search' },
  seed: { trust: 'anywhere', why: 'chooses among searches of the same length' },
};
