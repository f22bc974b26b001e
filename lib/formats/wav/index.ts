/**
 * Reads and writes the sound of WAV files.
 *
 * Piece by piece, as float32 in [-1, 1], one array per channel, so that an hour takes no more memory than a second.
 * Other formats, resampling and mixdown are left out; for other formats the errors give the ffmpeg command.
 */
export { openWav, readWav, type WavReader } from './reader.ts'
export { createWav, writeWav, type WavWriter, type WavWriterOptions } from './writer.ts'
export type { WavEncoding } from './format.ts'
export type { WavInfo } from './header.ts'
