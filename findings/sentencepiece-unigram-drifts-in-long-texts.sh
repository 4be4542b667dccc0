#!/usr/bin/env bash
# What: a unigram model of SentencePiece cuts the same words in other pieces far behind in a long text. The best path is found with sums of
# scores from the beginning of the text in 32-bit floats: after some megabytes the sum is in the millions, where floats lie half a unit apart,
# and paths that differ by less can no longer be told apart. BPE, which looks at neighbours only, gives the same pieces everywhere. There is
# no normalizer here, no space is added or removed, and no piece holds a space inside.
#
# Why it matters: documents are encoded in parts, to bound memory and to keep workers busy, cut where no piece can reach across. That is taken
# to change nothing; with unigram the parts differ from the whole, and the parts have the better pieces. A corpus tokenized as one
# document for each book has other ids than one tokenized by paragraph, by the same model and library.
#
# What follows: cutting is a property of BPE models to be looked up, not assumed; for unigram a tokenizer encodes each document in one call,
# or cuts by a rule that is part of the data's fingerprint, and no test with short texts shows the difference.
#
# Needs Debian 12 and bash; installs sentencepiece as root. Holds: 0. Changed: 1. Could not be tried: 2.
set -euo pipefail

version=0.1.97-3+b1 copies=40
installed() { dpkg-query -W -f='${Version}' sentencepiece 2>/dev/null; }
[ "$(installed)" = "$version" ] ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "sentencepiece=$version"; } >/dev/null 2>&1 ||
    { echo "Could not be tried: Debian's sentencepiece $version was not installed."; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# English that every Debian has: licences. One copy is a line of 86 kB; the long text is 40 copies in one line, each begun by a space.
cat /usr/share/common-licenses/{GPL-3,Apache-2.0,LGPL-2.1,MPL-2.0} >corpus.txt
tr -s ' \n' ' ' <corpus.txt | sed 's/^ */ /; s/ *$//' >copy.txt
for ((i = 0; i < copies; i++)); do cat copy.txt; done >long.txt
echo >>copy.txt
echo >>long.txt
echo "sentencepiece $(installed); one copy: $(wc -w <copy.txt) words, $(wc -c <copy.txt) bytes; the long text: $copies copies"

# pieces MODEL TEXT: words with their pieces, one word a line
pieces() { spm_encode --model="$1.model" --output_format=piece <"$2" | sed 's/ ▁/\n▁/g'; }

for kind in bpe unigram; do
    spm_train --input=corpus.txt --model_prefix=$kind --model_type=$kind --vocab_size=800 --character_coverage=1 \
        --normalization_rule_name=identity --add_dummy_prefix=false --remove_extra_whitespaces=false >log 2>&1 ||
        { tail log; echo "Could not be tried: the $kind model was not trained."; exit 2; }
    pieces $kind copy.txt >alone.txt
    pieces $kind long.txt >long-pieces.txt
    tail -n "$(wc -l <alone.txt)" long-pieces.txt >last.txt
    [ "$(tr -d ' \n' <alone.txt)" = "$(tr -d ' \n' <last.txt)" ] || { echo "Changed: the last copy has other characters."; exit 1; }
    paste -d '\t' alone.txt last.txt | awk -F '\t' '$1 != $2 { print "  " $1 "  ->  " $2 }' >"$kind.txt"
    echo "$kind: words of the last copy that have other pieces than in one copy alone: $(wc -l <$kind.txt)"
    sort $kind.txt | uniq -c | sort -rn | sed -n 1,4p
done
echo
echo "Good guess: pieces of a word are the same wherever it stands, as no piece reaches across a space."
if [ ! -s bpe.txt ] && grep -q '▁[a-z][a-z ]*  ->' unigram.txt; then
    echo "Seen: so with BPE; the unigram model cuts ordinary words otherwise behind some megabytes of text."
    exit 0
fi
echo "Changed: BPE differs too, or the unigram model gives the same pieces far behind as at the beginning."
exit 1
