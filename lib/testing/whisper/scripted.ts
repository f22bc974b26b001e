/**
 * Plays a Whisper that says what a test wants: a tokenizer of made-up words, and a network that follows a script.
 */
import { WhisperTokenizer } from '../../speech/whisper/tokenizer.ts'
import type { WhisperNetwork } from '../../speech/whisper/network.ts'

/** A tokenizer of an English (51864) or multilingual (51865) size: 256 bytes, then ` w256`, ` w257` … */
export function scriptedTokenizer(vocabulary = 51_864): WhisperTokenizer {
  const count = vocabulary > 51_864 ? 50_257 : 50_256
  const ordinary = Array.from({ length: count }, (_, id) =>
    id < 256 ? Uint8Array.of(id) : new Uint8Array(Buffer.from(` w${id}`)),
  )
  return new WhisperTokenizer({ path: 'scripted', ordinary, special: new Map() }, vocabulary)
}

/** What the script knows: which window it is (from 0), and all tokens that one sequence was given. */
export type Script = (window: number, tokens: readonly number[]) => Readonly<Record<number, number>>

/** A network whose logits are the script's; -20 for every token that the script leaves out. */
export class ScriptedNetwork implements WhisperNetwork {
  readonly vocabulary: number
  readonly textContext: number = 448
  readonly windowFrames = 3000
  readonly mels = 1
  readonly alignmentHeads = [[0, 0]] as const
  /** The first value of each window, to see which it was. */
  readonly heard: number[] = []
  /** Every question that was put before an answer began. */
  readonly questions: number[][] = []
  #sequences: number[][] = [[]]
  readonly #script: Script

  constructor(script: Script, vocabulary = 51_864) {
    this.#script = script
    this.vocabulary = vocabulary
  }

  listen(mel: Float32Array): Promise<void> {
    this.heard.push(mel[0]!)
    return Promise.resolve()
  }

  start(): void {
    this.#sequences = [[]]
  }

  append(tokens: readonly (readonly number[])[]): Promise<Float32Array> {
    if (tokens.length !== this.#sequences.length) throw new Error('another number of sequences')
    if (tokens[0]!.length > 1 || this.#sequences[0]!.length === 0) this.questions.push([...tokens[0]!])
    const logits = new Float32Array(tokens.length * this.vocabulary).fill(-20)
    for (const [i, added] of tokens.entries()) {
      this.#sequences[i]!.push(...added)
      for (const [token, logit] of Object.entries(this.#script(this.heard.length - 1, this.#sequences[i]!))) {
        logits[i * this.vocabulary + Number(token)] = logit
      }
    }
    return Promise.resolve(logits)
  }

  choose(sources: readonly number[]): void {
    this.#sequences = sources.map(source => [...this.#sequences[source]!])
  }

  attend(): Promise<never> {
    return Promise.reject(new Error('the script has no attention'))
  }
}
