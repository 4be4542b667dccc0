#!/usr/bin/env bash
# Real exams, end to end: the questions of Debian's package hamexam (fetched by apt into a temporary folder, never installed) are what a small model is trained on.
# It must pass (more than 90%); the same model untrained must be at chance, within 3 standard errors.
#
#   scripts/test-exams.sh        some minutes on two cores
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
uniscale=${UNISCALE:-$root/scripts/uniscale}
steps=${STEPS:-900}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

apt-get download -qq hamexam 2>/dev/null || { echo "test-exams: apt has no hamexam here" >&2; exit 1; }
dpkg -x hamexam_*.deb package
data=$work/package/usr/share/hamexam

# Each question as the exam asks it, with its answer; four copies of each in another order.
mkdir text
for copy in 1 2 3 4; do
    find "$data" -path '*/[TGE]/*' -type f | shuf --random-source=<(yes "$copy") | while read -r file; do
        name=$(basename "$file")
        answer=$(sed -n '1s/^[^(]*(\([A-D]\)).*/\1/p' "$file")
        printf '{"text": %s}\n' "$(python3 -c 'import json, sys
lines = open(sys.argv[1], encoding="utf-8").read().splitlines()[1:]
print(json.dumps("The following are multiple choice questions (with answers) about  amateur radio, element %s.\n\n%s\nAnswer: %s" % (sys.argv[2], "\n".join(line.strip() for line in lines if line.strip()), sys.argv[3])))' "$file" "${name:0:2}" "$answer")"
    done
done > text/questions.jsonl

cat > run.yaml <<END
name: ham
run_directory: $work/run
model: { layers: 4, hidden: 192, heads: 4, context: 256, document_mask: true }
data:
  tokenizer: $work/tokenizer.model
  sources: [{ name: questions, shards: [$work/tokens/questions.train] }]
batch: { global: 16 }
optimizer: { lr: 2e-3 }
train: { steps: $steps }
checkpoint: { every: 1000 }
logging: { every: 100 }
END
"$uniscale" data import text --domain questions --out store
"$uniscale" tokenizer train store --vocabulary 2048 --out tokenizer.model
"$uniscale" data tokenize store --tokenizer tokenizer.model --out tokens
ls tokens
"$uniscale" train run.yaml --set optimizer.lr=1e-12 --set run_directory="$work/untrained" --stop-after 1
"$uniscale" train run.yaml

score() { "$uniscale" evaluate "$1" --tasks ham --data "$data" --shots 0 "${@:2}" --json; }
score untrained > untrained.json
score untrained --scoring option > options.json
score run > trained.json
"$uniscale" evaluate run --tasks ham --data "$data" --shots 0 | grep -E '^(task|ham |ham_[TGE] )'
python3 - <<'END'
import json
def of(name): return json.load(open(name))["results"]["ham"]
untrained, options, trained = of("untrained.json"), of("options.json"), of("trained.json")
print("untrained, letters:        %.4f ± %.4f" % (untrained["acc,none"], untrained["acc_stderr,none"]))
print("untrained, whole options:  %.4f; the shortest option: %.4f" % (options["acc,none"], options["shortest,none"]))
print("trained, letters:          %.4f" % trained["acc,none"])
assert abs(untrained["acc,none"] - 0.25) < 3 * untrained["acc_stderr,none"], "an untrained model is not at chance"
assert trained["acc,none"] > 0.9, "the trained model does not pass"
END
