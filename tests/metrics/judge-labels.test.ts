import { describe, expect, test } from 'vitest';
import { followsInputs, judgeLabels, type TaskEvidence } from '../../converter/metrics/judge-labels.ts';

const evidence = (
  inputs: number[],
  outputs: number[],
  reproduces: boolean,
  allowed?: TaskEvidence['allowed'],
): TaskEvidence => ({
  inputShape: inputs,
  outputShape: outputs,
  reproduces: async () => reproduces,
  allowed,
});

const labels = (...data: number[]) => ({ data, shape: [data.length] });
const classes = (task: string, ...data: number[]) => ({
  task,
  labels: { task, data: Float64Array.from(data) },
});

describe('what labels and model are taken for', () => {
  test.each([
    ['as many classes as features', [1, 3], [1, 3], false, labels(0, 2, 1), 'classification'],
    [
      'even if outputs follow inputs, where the labels name every output',
      [1, 3],
      [1, 3],
      true,
      labels(0, 2, 1),
      'classification',
    ],
    ['an autoencoder with labels of two kinds', [1, 64], [1, 64], true, labels(0, 1), 'anomaly'],
    ['few of the classes, outputs of their own', [1, 10], [1, 10], false, labels(0, 3), 'classification'],
    ['a flat autoencoder of a picture', [1, 8, 8], [1, 64], true, labels(0, 1), 'anomaly'],
    ['one output and two kinds of labels', [1, 9], [1, 1], false, labels(0, 1, 1), 'binary'],
    ['one output and values', [1, 9], [1, 1], false, labels(0.5, 1, 1.5), 'regression'],
    ['one output and many whole numbers', [1, 9], [1, 1], false, labels(3, 7, 12), 'regression'],
  ] as const)('%s', async (_, input, output, reproduces, given, task) => {
    const judged = await judgeLabels('d.npz', given, evidence([...input], [...output], reproduces));
    expect(judged.task).toBe(task);
  });

  test('labels from 1 are shifted, with a note', async () => {
    const judged = await judgeLabels('d', labels(1, 3, 2, 3), evidence([1, 9], [1, 3], false));
    expect(judged.labels!.data).toEqual(Float64Array.of(0, 2, 1, 2));
    expect(judged.notes).toEqual(['labels run from 1 to 3: 1 is taken for the first of 3 outputs']);
  });

  test('one-hot rows are classes, with a note; other rows are wanted outputs', async () => {
    const shape = [2, 3];
    const hot = await judgeLabels('d', { data: [0, 0, 1, 1, 0, 0], shape }, evidence([1, 9], [1, 3], false));
    expect(hot).toMatchObject(classes('classification', 2, 0));
    expect(hot.notes[0]).toMatch(/one-hot/);
    const values = await judgeLabels(
      'd',
      { data: [0, 1, 1, 1, 0, 0], shape },
      evidence([1, 9], [1, 3], false),
    );
    expect(values.task).toBe('regression');
    const asked = evidence([1, 9], [1, 3], false, ['regression']);
    expect((await judgeLabels('d', { data: [0, 0, 1, 1, 0, 0], shape }, asked)).task).toBe('regression');
  });

  test.each([
    ['-1 and 1', [-1, 1, -1], [0, 1, 0]],
    ['1 and 2', [1, 2, 2], [0, 1, 1]],
    ['0 alone', [0, 0], [0, 0]],
  ])('of one output, %s are a negative and a positive class', async (_, given, wanted) => {
    const judged = await judgeLabels('d', labels(...given), evidence([1, 9], [1, 1], false));
    expect(judged).toMatchObject(classes('binary', ...wanted));
  });

  test('the metric that is asked for decides what labels leave open', async () => {
    const same = (allowed: TaskEvidence['allowed']) => evidence([1, 3], [1, 3], false, allowed);
    const task = async (allowed: TaskEvidence['allowed'], ...given: number[]) =>
      (await judgeLabels('d', labels(...given), same(allowed))).task;
    expect(await task(['anomaly'], 0, 1, 2)).toBe('anomaly');
    expect(await task(['classification'], 0, 1)).toBe('classification');
    const single = evidence([1, 3], [1, 1], false, ['binary', 'classification']);
    expect(await judgeLabels('d', labels(0, 2, 3), single)).toMatchObject(classes('binary', 0, 1, 1));
  });

  test.each([
    ['a class beyond the outputs', labels(0, 1, 7), [1, 3]],
    ['a negative class', labels(-1, 0, 1), [1, 3]],
    ['0 and as many classes as outputs', labels(0, 3), [1, 3]],
    ['a class that is no whole number', labels(0, 0.5), [1, 3]],
    ['rows of another size', { data: [1, 2, 3, 4], shape: [2, 2] }, [1, 3]],
    ['NaN', labels(0, Number.NaN), [1, 1]],
  ])('%s is refused by sample and value', async (_, given, output) => {
    await expect(judgeLabels('d.npz', given, evidence([1, 9], output, false))).rejects.toMatchObject({
      code: 'E_DATA_LABELS',
      message: expect.stringContaining('d.npz'),
    });
  });

  test('without labels the model tells what it is for', async () => {
    const task = async (output: number[], reproduces: boolean) =>
      (await judgeLabels('d', undefined, evidence([1, 4], output, reproduces))).task;
    expect(await task([1, 4], true)).toBe('anomaly');
    expect(await task([1, 4], false)).toBe('classification');
    expect(await task([1, 1], false)).toBe('binary');
  });

  test('outputs follow inputs where they explain most of their variance', () => {
    const inputs = [1, -1, 2, -2];
    expect(followsInputs(inputs, [0.9, -1.1, 1.5, -1.8])).toBe(true);
    expect(followsInputs(inputs, [0, 0, 0, 0])).toBe(false);
    expect(followsInputs(inputs, [5, 1, 0, 3])).toBe(false);
  });
});
