/**
 * Tells what a file that is no WAV is by its first bytes, so that an error can name it and say what to do about
 * it.
 */

/** `name` reads after "it is": `an MP3`. `isSound`: ffmpeg can make a WAV of it. */
export interface FileKind {
  readonly name: string
  readonly isSound: boolean
}

type Mark = readonly [at: number, mark: string, name: string]
const soundMarks: readonly Mark[] = [
  [0, 'ID3', 'an MP3'],
  [0, '\xff\xfb', 'an MP3'],
  [0, '\xff\xf3', 'an MP3'],
  [0, '\xff\xf2', 'an MP3'],
  [0, '\xff\xfa', 'an MP3'],
  [0, '\xff\xf1', 'AAC'],
  [0, '\xff\xf9', 'AAC'],
  [0, 'fLaC', 'FLAC'],
  [0, 'OggS', 'Ogg (Vorbis or Opus)'],
  [4, 'ftyp', 'an MP4 or M4A'],
  [0, 'FORM', 'AIFF'],
  [0, '.snd', 'a Sun .au file'],
  [0, 'caff', 'a Core Audio file'],
  [0, '\x1aE\xdf\xa3', 'WebM or Matroska'],
  [0, 'RIFX', 'a big-endian WAV (RIFX)'],
  [0, 'riff\x2e\x91\xcf\x11', 'a Wave64 file'],
  [8, 'AVI ', 'an AVI'],
  [0, 'NIST_1A', 'a NIST SPHERE file'],
  [0, '#!AMR', 'AMR'],
  [0, 'wvpk', 'WavPack'],
  [0, '\xff\xfd', 'MPEG audio (Layer 2)'],
  [0, '\xff\xfc', 'MPEG audio (Layer 2)'],
  [0, '\xff\xf4', 'MPEG audio (Layer 2)'],
  [0, '\xff\xe3', 'an MP3'],
  [0, '\xff\xe2', 'an MP3'],
  [0, '\x0b\x77', 'AC-3'],
  [0, '\x7f\xfe\x80\x01', 'DTS'],
  [0, '0&\xb2u\x8ef\xcf\x11', 'Windows Media (ASF, WMA)'],
  [0, 'MAC ', "Monkey's Audio"],
  [0, 'TTA1', 'True Audio'],
  [0, 'MPCK', 'Musepack'],
  [0, 'MP+', 'Musepack'],
  [0, 'Creative Voice File', 'a Creative VOC file'],
  [0, '.ra\xfd', 'RealAudio'],
  [0, '#!SILK', 'SILK'],
  [0, '\x02#!SILK', 'SILK'],
  [0, 'ajkg', 'Shorten'],
  [0, 'OFR ', 'OptimFROG'],
  [0, 'DSD ', 'DSF (DSD sound)'],
  [0, 'FRM8', 'DSDIFF (DSD sound)'],
  [0, 'qoaf', 'QOA'],
  [0, '2BIT', 'an AVR file'],
]
const otherMarks: readonly Mark[] = [
  [0, 'version https://git-lfs', 'a git-lfs pointer'],
  [0, 'PK\x03\x04', 'a zip'],
  [0, '\x93NUMPY', 'a .npy array'],
  [0, '\x7fELF', 'a program'],
  [0, '\x1f\x8b', 'a gzip'],
]

/** Whether bytes read as words: UTF-8, and ASCII letters, digits and blanks for the most part. */
function isText(head: Uint8Array): boolean {
  const text = Buffer.from(head).toString('latin1')
  if (text === '' || text.startsWith('RIF') || /[^\t\r\n\x20-\x7e\x80-\xff]/.test(text)) return false
  const plain = text.replaceAll(/[\w\s.,;:!?'"()[\]{}<>/#*=+&%$@|-]/g, '')
  return plain.length <= text.length * 0.3
}

/** What `head`, the first 64 bytes or so, begins; null when it says nothing. */
export function fileKindOf(head: Uint8Array): FileKind | null {
  const text = Buffer.from(head).toString('latin1')
  const nameIn = (marks: readonly Mark[]) => marks.find(([at, mark]) => text.startsWith(mark, at))?.[2]
  const sound = nameIn(soundMarks)
  if (sound !== undefined) return { name: sound, isSound: true }
  const other = nameIn(otherMarks) ?? (isText(head) ? 'text' : undefined)
  return other === undefined ? null : { name: other, isSound: false }
}
