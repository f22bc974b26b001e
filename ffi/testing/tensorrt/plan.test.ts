import assert from 'node:assert/strict'
import test from 'node:test'
import { needsTool } from '../../../lib/testing/needs.ts'
import { buildStandin } from '../build.ts'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { denseAnswer, densePlan, planBytes, type PlanNetwork } from './plan.ts'

const version = { major: 10, minor: 13, patch: 3 }
const both: PlanNetwork = {
  name: 'two ways',
  tensors: [
    { name: 'a', role: 'input', shape: [-1, 2] },
    { name: 'n', role: 'input', dtype: 'int64', shape: [1] },
    { name: 'm', role: 'inner', shape: [-1, 3] },
    { name: 'b', role: 'output', shape: [-1, 3] },
  ],
  ops: [
    { kind: 'dense', from: 'a', to: 'm', rows: 3, cols: 2, weight: [1, 2, 3, 4, 5, 6], bias: [7, 8, 9] },
    { kind: 'add', from: 'm', and: 'm', to: 'b' },
  ],
  profiles: [
    {
      a: [
        [1, 2],
        [2, 2],
        [3, 2],
      ],
      n: [[1], [1], [1]],
    },
  ],
}

test('planBytes() writes the header that NVIDIA writes', () => {
  const bytes = Buffer.from(planBytes(densePlan(), version))
  assert.equal(bytes.toString('latin1', 0, 4), 'ftrt')
  assert.equal(bytes.readUInt32LE(4), 0)
  assert.deepEqual([...bytes.subarray(24, 28)], [10, 13, 3, 9])
  assert.equal(Number(bytes.readBigUInt64LE(8)), bytes.length - 32)
})

test('planBytes() writes what graph.h reads and writes again, byte for byte', { skip: needsTool('g++') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'plan-test-'))
  try {
    const source = join(folder, 'again.cpp')
    writeFileSync(
      source,
      `#include <cstdio>
#include "${join(import.meta.dirname, 'graph.h')}"
int main(int, char **argv) {
  std::vector<uint8_t> bytes(1 << 16);
  FILE *file = fopen(argv[1], "rb");
  bytes.resize(fread(bytes.data(), 1, bytes.size(), file));
  standin::Graph graph;
  if (!standin::graphOf(bytes.data() + 32, bytes.size() - 32, graph)) return 1;
  const std::vector<uint8_t> again = standin::planOf(graph, bytes.data() + 24);
  fwrite(again.data(), 1, again.size(), stdout);
}
`,
    )
    const program = buildStandin([source], { out: 'again', kind: 'program' })
    for (const network of [densePlan(), densePlan({ isOpen: true }), both]) {
      const bytes = planBytes(network, version)
      writeFileSync(join(folder, 'in.plan'), bytes)
      assert.deepEqual(execFileSync(program, [join(folder, 'in.plan')]), Buffer.from(bytes))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('planBytes() refuses an operation over a tensor that is not there', () => {
  assert.throws(() => planBytes({ tensors: [], ops: [{ kind: 'relu', from: 'x', to: 'y' }] }, version), /no tensor "x"/)
})

test('denseAnswer() is relu of Wx + b', () => {
  assert.deepEqual(denseAnswer([1, 2, 3]), [14.25, 0])
  assert.deepEqual(denseAnswer([-10, 4, 0]), [0, 12])
})
