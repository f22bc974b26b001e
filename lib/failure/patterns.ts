/**
 * Lets a long pattern be written over several lines.
 *
 * As a template over several lines: line breaks and the indentation after them do not count, everything else does, a
 * space at the end of a line too. Nothing is interpolated.
 */

const joined = ({ raw }: TemplateStringsArray) => raw.join('').replace(/\n\s*/g, '')

/** A pattern that does not mind capitals. */
export const phrase = (template: TemplateStringsArray): RegExp => new RegExp(joined(template), 'i')

/** A pattern that minds capitals. */
export const exact = (template: TemplateStringsArray): RegExp => new RegExp(joined(template))

/** As `exact`, for use with `matchAll`. */
export const every = (template: TemplateStringsArray): RegExp => new RegExp(joined(template), 'g')

/** As `phrase`, with `^` and `$` at every line. */
export const lines = (template: TemplateStringsArray): RegExp => new RegExp(joined(template), 'im')

/** As `exact`, with `^` and `$` at every line. */
export const exactLines = (template: TemplateStringsArray): RegExp => new RegExp(joined(template), 'm')
