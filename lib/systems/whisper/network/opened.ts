/**
 * What every open Whisper shares, whatever its network: which languages it knows, and recordings that wait their turn.
 */
import { Turns } from '../../../base/async.ts'
import { usageError } from '../../../base/errors.ts'
import { languageCode } from '../../../speech/whisper/languages.ts'
import type { WhisperTokenizer } from '../../../speech/whisper/tokenizer.ts'
import { whisperFrontEnd } from '../features.ts'
import type { Manifest } from '../manifest.ts'

/** A Whisper that is open. Recordings asked for together wait their turn. */
export class OpenedWhisper<Network extends AsyncDisposable & { readonly device: string }> implements AsyncDisposable {
  readonly manifest: Manifest
  readonly tokenizer: WhisperTokenizer
  readonly network: Network
  protected readonly turns = new Turns()
  protected readonly front

  /** Made by whoever opens the network; it is closed with this. */
  constructor(manifest: Manifest, tokenizer: WhisperTokenizer, network: Network) {
    this.manifest = manifest
    this.tokenizer = tokenizer
    this.network = network
    this.front = whisperFrontEnd(manifest.dims.mels)
  }

  /** Which silicon answers. */
  get device(): string {
    return this.network.device
  }

  /** Codes of the languages that the model knows; an English model knows `en` alone. */
  get languages(): readonly string[] {
    return this.tokenizer.isMultilingual ? [...this.tokenizer.special.languages.keys()] : ['en']
  }

  /**
   * The code of a language that a person named.
   * @throws RunbookError usage when the model does not know it
   */
  languageOf(given: string): string {
    const code = languageCode(given)
    if (code !== undefined && this.languages.includes(code)) return code
    const known = this.languages.length === 1 ? 'it is an English model' : `it knows ${this.languages.length} others`
    throw usageError(`Cannot use the language "${given}": ${this.manifest.name} does not know it, ${known}`, 'give en')
  }

  /** Waits for what is under way, then lets the model go. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.turns.settled()
    await this.network[Symbol.asyncDispose]()
  }
}
