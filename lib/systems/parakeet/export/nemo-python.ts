/**
 * The export that NeMo itself makes, driven in a Python that the user names.
 *
 * The program is written into the run folder and run from there, so that the evidence holds what was run. Seeds and
 * deterministic kernels are set, the traced graphs come from NeMo's own exporter, and the versions go into a JSON file.
 */
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { sha256File } from '../../../host/digest.ts'
import { readJson } from '../../../host/files.ts'

/** Where NeMo's export goes, and of what. */
export interface NemoExportOptions {
  readonly nemo: string
  readonly out: string
  readonly device: 'cpu' | 'cuda'
  /** Frames of attention's cache for the streaming form; none for the encoder of whole recordings. */
  readonly cacheSize?: number
}

/** Name of the program's result, in its output folder. */
export const nemoExportResult = 'nemo_export.json'

/** The Python program. Its arguments are those of `nemoExportArguments`. */
export const nemoExportProgram = `"""Export encoder and decoder_joint of a NeMo TDT model, deterministically."""
import argparse
import hashlib
import json
import os
import platform

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--out", required=True)
parser.add_argument("--device", default="cpu")
parser.add_argument("--cache-size", type=int, default=0)
args = parser.parse_args()

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
import nemo
import torch
import nemo.collections.asr as nemo_asr

torch.manual_seed(0)
torch.use_deterministic_algorithms(True, warn_only=True)
model = nemo_asr.models.ASRModel.restore_from(args.model, map_location=args.device)
model.eval()
if args.cache_size > 0:
    model.encoder.setup_streaming_params()
    model.encoder.streaming_cfg.last_channel_cache_size = args.cache_size
    model.set_export_config({"cache_support": "True"})
os.makedirs(args.out, exist_ok=True)
model.export(os.path.join(args.out, "model.onnx"))


def digest(path):
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            sha.update(piece)
    return sha.hexdigest()


names = [name for name in sorted(os.listdir(args.out)) if name != "${nemoExportResult}"]
files = {name: digest(os.path.join(args.out, name)) for name in names}
versions = {"python": platform.python_version(), "torch": torch.__version__, "nemo": nemo.__version__}
with open(os.path.join(args.out, "${nemoExportResult}"), "w") as file:
    json.dump({**versions, "files": files}, file)
`

/**
 * What is wrong with the folder of an export that ended well; nothing when every graph is there as the program says.
 */
export function nemoExportProblems(folder: string): string[] {
  const path = join(folder, nemoExportResult)
  if (!existsSync(path)) return [`it wrote no ${nemoExportResult}`]
  const { files, torch, nemo } = (readJson(path) ?? {}) as { files?: unknown; torch?: unknown; nemo?: unknown }
  const listed = Object.entries(typeof files === 'object' && files !== null ? files : {})
  const changed = listed.filter(([name, digest]) => {
    const file = join(folder, basename(name))
    return !existsSync(file) || sha256File(file) !== digest
  })
  return [
    ...(listed.some(([name]) => name.endsWith('.onnx')) ? [] : ['it wrote no ONNX graph']),
    ...changed.map(([name]) => `${name} is not there as it says`),
    ...(typeof torch === 'string' && typeof nemo === 'string' ? [] : ['it names no versions']),
  ]
}

/** The arguments for the program. */
export const nemoExportArguments = ({ nemo, out, device, cacheSize }: NemoExportOptions): string[] => [
  '--model',
  nemo,
  '--out',
  out,
  '--device',
  device,
  ...(cacheSize === undefined ? [] : ['--cache-size', String(cacheSize)]),
]
