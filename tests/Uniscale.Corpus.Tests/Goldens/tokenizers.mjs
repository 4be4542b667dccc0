// Ids of Hugging Face's tokenizers (npm's package of that name, in NODE_PATH or a folder above), for a made vocabulary in the forms of
// published models.
//
//   node tokenizers.mjs make                       writes tokenizers.json: the forms, a few hundred texts, their ids
//   node tokenizers.mjs encode MODEL TEXTS IDS     TEXTS and IDS are JSON, a line each: a text, its numbers
import { createRequire } from 'node:module'
import fs from 'node:fs'
import path from 'node:path'

const { Tokenizer } = createRequire(process.env.TOKENIZERS_FOLDER ? path.join(process.env.TOKENIZERS_FOLDER, 'x.js') : import.meta.url)('tokenizers')

const scripts = [
  'All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience.\n    for (int i = 0; i < 100; i++) { total += values[i]; } // --- don\'t, WE\'LL, they\'re HTTPServer XMLHttpRequest\n',
  '人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。语言模型的训练需要大量文本。',
  'Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью.',
  'يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق. وقد وهبوا عقلاً وضميرًا، ١٢٣٤٥',
  'सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। १२३',
  'Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.',
  '모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았다.',
  'มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม',
]
const rare = [
  ' ', '  ', '     ', '\n', '\n\n', '\r\n', '\t', '\t\t', ' \n ', '\u00A0', '\u3000', '\u2028', '\u0085', '\u200B', '\uFEFF', '\u0000', '\u0001',
  "'s", "'S", "'ſ", "'LL", "'ve", "'", "''", '"', '1', '12', '1234567', '٣', '½', 'Ⅷ', '²', 'e\u0301', 'A\u030A', '\u212B', '\u0344', '\u0F73', '\u1100\u1161\u11A8',
  '가', '\u0301\u0323', '\u0323\u0301', '\u0340', '\u2126', '\uFB01', 'ß', 'ẞ', 'İ', 'ı', 'K', 'Ǆ', 'ǅ', 'ʰ', 'ª', '🙂', '👨\u200D👩', '𝒜𝒷', '𠀀', '𐐀𐐨', '\uFFFD',
  '-----', '=====', '...', '!?', '//', '```', '<|endoftext|>', '<|end', '<tool>', '<tool', '<<tool>>', '<mask>', 'x<mask>y', '[NAME]', 'Ġ', 'Ċ', '▁', 'the', 'rights', '训练', '，', '。', '…', 'مرحبا،', 'camelCase', 'ABCdef', 'ABC', 'abC1d2',
]
const bytes = (() => {
  const map = []
  let other = 256
  for (let b = 0; b < 256; b++) map.push((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174 ? b : other++)
  return map.map((c) => String.fromCodePoint(c))
})()
const written = (text) => [...Buffer.from(text)].map((b) => bytes[b]).join('')

function random(seed) {
  let state = seed >>> 0
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 4294967296) * n)
  }
}

// Byte-pair merges of the scripts, the most frequent pair first.
function train(count) {
  const words = new Map()
  const text = scripts.join(' ') + rare.join(' ') + ' cat category cart care ab abc bc'.repeat(3)
  for (const [word] of text.matchAll(/ ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+/gu)) words.set(written(word), (words.get(written(word)) ?? 0) + 1)
  let rows = [...words].map(([word, n]) => [[...word], n])
  const merges = []
  while (merges.length < count) {
    const pairs = new Map()
    for (const [row, n] of rows) for (let i = 0; i + 1 < row.length; i++) {
      const key = row[i] + ' ' + row[i + 1]
      pairs.set(key, (pairs.get(key) ?? 0) + n)
    }
    const best = [...pairs].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0]
    if (!best) break
    const [left, right] = best[0].split(' ')
    merges.push([left, right])
    rows = rows.map(([row, n]) => {
      const next = []
      for (let i = 0; i < row.length; i++) if (row[i] === left && row[i + 1] === right) next.push(row[i] + row[++i])
      else next.push(row[i])
      return [next, n]
    })
  }
  return merges
}

const merges = train(500)
const entries = [...bytes].sort().concat([...new Set(merges.map(([a, b]) => a + b))])
// Entries that no merge makes, which ignore_merges alone finds.
const whole = ['Ġconscience!', 'Ġ--->', 'cats', written('模型')].filter((entry) => !entries.includes(entry))
const vocabulary = (extra = []) => Object.fromEntries([...entries, ...whole, ...extra].map((entry, id) => [entry, id]))
const size = entries.length + whole.length
const added = (id, content, fields = {}) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...fields })
const plain = { special: false }
const split = (Regex, behavior = 'Isolated', invert = false) => ({ type: 'Split', pattern: { Regex }, behavior, invert })
const byteLevel = (use_regex, add_prefix_space = false) => ({ type: 'ByteLevel', add_prefix_space, trim_offsets: true, use_regex })
const sequence = (...pretokenizers) => ({ type: 'Sequence', pretokenizers })
const end = added(size, '<|endoftext|>')
const strings = (list) => list.map((pair) => pair.join(' '))

function form(pre_tokenizer, fields = {}, model = {}) {
  return {
    version: '1.0', truncation: null, padding: null,
    added_tokens: [end],
    normalizer: null,
    pre_tokenizer,
    post_processor: byteLevel(true),
    decoder: byteLevel(true),
    ...fields,
    model: { type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab: vocabulary(), merges, ...model },
  }
}

const llama3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const o200k = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const forms = {
  gpt2: form(byteLevel(true), {}, { type: undefined, continuing_subword_prefix: '', end_of_word_suffix: '', ignore_merges: undefined, byte_fallback: undefined, merges: strings(merges) }),
  'gpt2 with a space in front': form(byteLevel(true, true), { added_tokens: [end, added(size + 1, '<tool>', plain)] }),
  llama3: form(sequence(split(llama3), byteLevel(false)), {
    added_tokens: [added(size, '<|begin_of_text|>'), added(size + 1, '<|endoftext|>')],
    post_processor: { type: 'Sequence', processors: [byteLevel(true), { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<|begin_of_text|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }], pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }], special_tokens: { '<|begin_of_text|>': { id: '<|begin_of_text|>', ids: [size], tokens: ['<|begin_of_text|>'] } } }] },
  }, { ignore_merges: true, merges: strings(merges) }),
  qwen2: form(sequence(split(llama3.replace('{1,3}', '')), byteLevel(false)), { normalizer: { type: 'NFC' }, added_tokens: [end, added(size + 1, '<tool>', plain), added(size + 2, '[NAME]', plain)] }, { continuing_subword_prefix: '', end_of_word_suffix: '' }),
  o200k: form(sequence(split(o200k), byteLevel(false)), {}, { ignore_merges: true }),
  deepseek: form(sequence(split('[\r\n]'), split('\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-Ֆ]+'), split('\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+'), split('\\s+$'), split('[一-龥ࠀ-一가-퟿]+'), { type: 'Digits', individual_digits: true }, byteLevel(false))),
  neox: form(byteLevel(true), { normalizer: { type: 'NFC' }, added_tokens: [end, ...[5, 4, 3, 2].map((n, i) => added(size + 1 + i, ' '.repeat(n), { ...plain, normalized: true })), added(size + 5, 'e\u0301', { ...plain, normalized: true })] }),
  starcoder: form(sequence({ type: 'Digits', individual_digits: true }, byteLevel(true))),
  'digits together': form(sequence({ type: 'Digits', individual_digits: false }, byteLevel(false))),
  bloom: form(sequence(split(' ?[^(\\s|[.,!?…。，、।۔،])]+'), byteLevel(false))),
  'marks with white space': form(byteLevel(true), { added_tokens: [end, added(size + 1, '<mask>', { lstrip: true }), added(size + 2, '<tool>', { ...plain, lstrip: true, rstrip: true, normalized: true })] }),
  'lower case': form(byteLevel(true), { normalizer: { type: 'Sequence', normalizers: [{ type: 'NFD' }, { type: 'Lowercase' }, { type: 'Replace', pattern: { Regex: '\\.{3}' }, content: '…' }, { type: 'Replace', pattern: { String: '--' }, content: '-' }, { type: 'Prepend', prepend: '>' }] }, added_tokens: [end, added(size + 1, 'ABC', { ...plain, normalized: true })] }),
  removed: form(sequence(split('\\s+', 'Removed'), split('[aeiou]', 'MergedWithPrevious'), byteLevel(false))),
  'merged with next': form(sequence(split('[A-Z-]', 'MergedWithNext'), split('\\d{2,}?|[,.]+?', 'Contiguous'), byteLevel(false))),
  inverted: form(sequence(split("\\p{L}++|(?<=\\d)[.,](?=\\d)|\\d+", 'Removed', true), { type: 'Split', pattern: { String: 'e' }, behavior: 'MergedWithPrevious', invert: true }, byteLevel(false))),
  'unknown bytes': form(byteLevel(true), { added_tokens: [added(0, '<unk>'), added(1, '<|endoftext|>')] }, (() => {
    const kept = entries.filter((entry) => ![...entry].some((c) => c > '\u00D0' || c === 'x'))
    const known = new Set(kept)
    return { unk_token: '<unk>', fuse_unk: true, vocab: Object.fromEntries(['<unk>', '<|endoftext|>', ...kept].map((entry, id) => [entry, id])), merges: merges.filter(([a, b]) => known.has(a) && known.has(b) && known.has(a + b)) }
  })()),
}
forms['unknown bytes apart'] = { ...forms['unknown bytes'], model: { ...forms['unknown bytes'].model, fuse_unk: false } }

function texts(count) {
  const next = random(7)
  const all = scripts.join('')
  const list = [...rare, ...scripts, rare.join(''), 'a' + ' '.repeat(300), 'ab'.repeat(200), '\n'.repeat(70) + 'x', '12'.repeat(40)]
  while (list.length < count) {
    if (next(2)) {
      const from = next(all.length)
      list.push(Buffer.from(all.slice(from, from + 1 + next(120))).toString())
    } else list.push(Array.from({ length: 1 + next(12) }, () => (next(3) ? rare[next(rare.length)] : [...scripts[next(8)]].slice(0, next(9)).join(''))).join(''))
  }
  return list
}

// Special tokens keep their numbers and are not looked for: they become entries that no merge makes.
const withoutSpecials = (model) => ({
  ...model,
  added_tokens: model.added_tokens.filter((token) => !token.special),
  model: { ...model.model, vocab: { ...model.model.vocab, ...Object.fromEntries(model.added_tokens.filter((token) => token.special).map(({ content, id }) => [content, id])) } },
})
const idsOf = async (model, list) => {
  const tokenizer = Tokenizer.fromString(JSON.stringify(model))
  const ids = []
  for (const text of list) ids.push((await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds())
  return ids
}

if (process.argv[2] === 'make') {
  const list = texts(300)
  const made = { texts: list, forms: {} }
  for (const [name, model] of Object.entries(forms)) {
    made.forms[name] = { model, plain: await idsOf(withoutSpecials(model), list), special: await idsOf(model, list) }
  }
  const lines = Object.entries(made.forms).map(([name, { model, plain, special }]) => {
    const same = plain.map((ids, i) => (JSON.stringify(ids) === JSON.stringify(special[i]) ? null : special[i]))
    const own = { ...model, model: { ...model.model } }
    if (JSON.stringify(own.model.vocab) === JSON.stringify(vocabulary())) own.model.vocab = null
    if (JSON.stringify(own.model.merges) === JSON.stringify(merges)) own.model.merges = null
    if (JSON.stringify(own.model.merges) === JSON.stringify(strings(merges))) own.model.merges = 'strings'
    return `${JSON.stringify(name)}:{"model":${JSON.stringify(own)},\n"plain":${JSON.stringify(plain)},\n"special":${JSON.stringify(same)}}`
  })
  fs.writeFileSync(new URL('tokenizers.json', import.meta.url), `{"texts":${JSON.stringify(list)},\n"vocab":${JSON.stringify(vocabulary())},\n"merges":${JSON.stringify(merges)},\n"forms":{\n${lines.join(',\n')}}}\n`)
} else {
  const [model, from, to] = process.argv.slice(3)
  const list = fs.readFileSync(from, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line))
  const ids = await idsOf(JSON.parse(fs.readFileSync(model, 'utf8')), list)
  fs.writeFileSync(to, ids.map((row) => JSON.stringify(row)).join('\n') + '\n')
}
