import assert from 'node:assert/strict'
import test from 'node:test'
import { checkCompose, renderCompose, type Compose } from './compose.ts'

const compose: Compose = {
  services: {
    web: {
      image: 'web:1',
      ports: ['9000:9000'],
      volumes: ['./artifacts:/srv/artifacts:ro'],
      devices: ['/dev/hailo0:/dev/hailo0'],
      environment: { NUM_MOTIFS: '12' },
      networks: { inner: { aliases: ['web2'] } },
    },
  },
  networks: { inner: {} },
}

test('renderCompose gives text that reads back as it was meant', async () => {
  assert.deepEqual(await checkCompose(await renderCompose(compose), 'x.yml'), compose)
})

test('checkCompose names the key when something stands where the specification has no place for it', async () => {
  const cases: [string, RegExp][] = [
    ['services: {}\nnetworks:\n  prometheus:\n    image: p\n', /networks\.prometheus\.image: there is no such key/],
    ['services:\n  a:\n    image: a\n    ports: ["9000"]\n', /services\.a\.ports\.0: host:container is wanted/],
    ['services:\n  a:\n    image: a\n    environment: {NUM: 12}\n', /services\.a\.environment\.NUM/],
    ['services:\n  a:\n    image: a\n    devices: ["hailo0"]\n', /a device mapping is wanted/],
    ['services:\n  a:\n    image: a\n    networks: {lost: {}}\n', /no network "lost"/],
    ['services:\n  a:\n    build: {context: .}\n', /services\.a/],
  ]
  for (const [text, message] of cases) await assert.rejects(checkCompose(text, 'x.yml'), { exit: 'usage', message })
})
