/**
 * The only script of `report.html`: it puts a copy button on each command.
 *
 * It makes the buttons itself, so that a page without scripts has none that do nothing. The page's policy allows this
 * text by its digest and no other.
 */
import { createHash } from 'node:crypto'

/** The script's text. */
export const script = `
for (const command of document.querySelectorAll('pre.command')) {
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = 'Copy'
  button.addEventListener('click', async () => {
    const words = command.querySelector('code').textContent
    try {
      await navigator.clipboard.writeText(words)
    } catch {
      getSelection().selectAllChildren(command.querySelector('code'))
      document.execCommand('copy')
    }
    button.textContent = 'Copied'
    setTimeout(() => { button.textContent = 'Copy' }, 1500)
  })
  command.append(button)
}
`.trim()

/** The digest by which a policy allows the script, as `sha256-…`. */
export const scriptDigest = `sha256-${createHash('sha256').update(script).digest('base64')}`
